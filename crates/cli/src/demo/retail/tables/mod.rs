// SPDX-License-Identifier: Apache-2.0
//! The tables that the pipeline fills, in one database or the other, and how the proof reads them back.

mod postgres;
mod sqlite;

use std::{error::Error, path::PathBuf};

use dstreams::{DStream, Time, streaming::OutputHandle};

use super::master::EnrichedSale;

/// Where the tables are.
#[derive(Debug, Clone)]
pub(super) enum Database {
    Sqlite(PathBuf),
    /// By its URL.
    Postgres(String),
}

/// What a store or a customer has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Total {
    pub(super) cents: i64,
    pub(super) sales: i64,
}

impl Total {
    pub(super) fn add(self, other: Self) -> Self {
        Self { cents: self.cents + other.cents, sales: self.sales + other.sales }
    }

    pub(super) fn subtract(self, other: Self) -> Self {
        Self { cents: self.cents - other.cents, sales: self.sales - other.sales }
    }
}

/// The name of the output of sales, which is also that of its table.
pub(super) const SALES: &str = "sales";
const STORE_REVENUE: &str = "store_revenue";
const CUSTOMERS: &str = "customers";

impl Database {
    /// Appends the sales.
    pub(super) fn write_sales(&self, sales: &DStream<EnrichedSale>) -> OutputHandle {
        match self {
            Self::Sqlite(path) => sales.write_to(sqlite::sales(path)),
            Self::Postgres(url) => sales.write_to(postgres::sales(url)),
        }
        .named(SALES)
    }

    /// Appends the revenue of each store in the window that ends with the batch.
    pub(super) fn write_store_revenue(&self, revenue: &DStream<(u32, Total)>) -> OutputHandle {
        match self {
            Self::Sqlite(path) => revenue.write_to(sqlite::store_revenue(path)),
            Self::Postgres(url) => revenue.write_to(postgres::store_revenue(url)),
        }
        .named(STORE_REVENUE)
    }

    /// Puts the totals of customers in place of those before.
    pub(super) fn write_customers(&self, totals: &DStream<(u32, Total)>) -> OutputHandle {
        match self {
            Self::Sqlite(path) => totals.write_to(sqlite::customers(path)),
            Self::Postgres(url) => totals.write_to(postgres::customers(url)),
        }
        .named(CUSTOMERS)
    }

    /// Opens the tables to be read, which are there once a batch has been written.
    pub(super) fn open(&self) -> Result<Box<dyn Tables>, Box<dyn Error>> {
        Ok(match self {
            Self::Sqlite(path) => Box::new(sqlite::Reader::open(path)?),
            Self::Postgres(url) => Box::new(postgres::Reader::open(url)?),
        })
    }
}

/// What is in the tables. Each method calls back for each row.
pub(super) trait Tables {
    /// The batches whose sales are there, in their order, each with what the source has said of it.
    fn batches(&mut self) -> Result<Vec<(Time, String)>, Box<dyn Error>>;
    /// The number and price of each sale.
    fn sales(&mut self, row: &mut dyn FnMut(u64, i64)) -> Result<(), Box<dyn Error>>;
    /// The stores of the window that ends at a time.
    fn window(&mut self, end: Time, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>>;
    fn customers(&mut self, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>>;
}
