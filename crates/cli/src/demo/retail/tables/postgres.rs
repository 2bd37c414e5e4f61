// SPDX-License-Identifier: Apache-2.0
//! The tables in PostgreSQL.

use std::error::Error;

use dstreams::{
    Time,
    postgres::{
        PostgresSink,
        postgres::{Client, NoTls, Row, fallible_iterator::FallibleIterator as _, types::ToSql},
    },
    streaming::PartitionRecords,
};

use super::{EnrichedSale, SALES, Tables, Total};

// No key, on purpose: nothing but the sink keeps a sale from being stored twice, and the proof would find it.
const SALES_TABLE: &str = "CREATE TABLE IF NOT EXISTS sales (
    id bigint NOT NULL, at_ms bigint NOT NULL, store integer NOT NULL, region text NOT NULL,
    customer integer NOT NULL, product integer NOT NULL, category text NOT NULL, quantity bigint NOT NULL,
    cents bigint NOT NULL, payment text NOT NULL)";
const SALES_COLUMNS: [&str; 10] =
    ["id", "at_ms", "store", "region", "customer", "product", "category", "quantity", "cents", "payment"];
const STORE_REVENUE_TABLE: &str = "CREATE TABLE IF NOT EXISTS store_revenue (
    window_end_ms bigint NOT NULL, store integer NOT NULL, cents bigint NOT NULL, sales bigint NOT NULL,
    PRIMARY KEY (window_end_ms, store))";
const CUSTOMERS_TABLE: &str = "CREATE TABLE IF NOT EXISTS customers (
    customer integer PRIMARY KEY, cents bigint NOT NULL, sales bigint NOT NULL)";

pub(super) fn sales(url: &str) -> PostgresSink<EnrichedSale> {
    PostgresSink::new(url, SALES, SALES_COLUMNS, |EnrichedSale { sale, category, region }, row| {
        row.add(sale.id).add(sale.at).add(sale.store).add(region).add(sale.customer).add(sale.product);
        row.add(category).add(sale.quantity).add(sale.cents).add(sale.payment.name());
    })
    .setup(SALES_TABLE)
}

pub(super) fn store_revenue(url: &str) -> PostgresSink<(u32, Total)> {
    // The window is known with the partition, so a few rows are inserted one by one.
    PostgresSink::with(url, |client, stores: &mut PartitionRecords<(u32, Total)>| {
        let window_end = stores.batch_time().as_millis();
        let insert = client.prepare("INSERT INTO store_revenue VALUES ($1, $2, $3, $4)")?;
        let mut written = 0;
        for (store, total) in stores {
            client.execute(&insert, &[&window_end, &number(store), &total.cents, &total.sales])?;
            written += 1;
        }
        Ok::<u64, dstreams::postgres::postgres::Error>(written)
    })
    .setup(STORE_REVENUE_TABLE)
}

pub(super) fn customers(url: &str) -> PostgresSink<(u32, Total)> {
    PostgresSink::new(
        url,
        "customers",
        ["customer", "cents", "sales"],
        |(customer, total): (u32, Total), row| {
            row.add(customer).add(total.cents).add(total.sales);
        },
    )
    .setup(CUSTOMERS_TABLE)
    .merge(
        "INSERT INTO customers SELECT * FROM staged
         ON CONFLICT (customer) DO UPDATE SET cents = excluded.cents, sales = excluded.sales",
    )
}

/// Stores and customers have numbers of a few digits.
fn number(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

pub(super) struct Reader(Client);

impl Reader {
    pub(super) fn open(url: &str) -> Result<Self, dstreams::postgres::postgres::Error> {
        Client::connect(url, NoTls).map(Self)
    }

    /// Rows as they come, not all of them at once.
    fn each(
        &mut self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
        mut row: impl FnMut(&Row) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let mut rows = self.0.query_raw(query, parameters.iter().copied())?;
        while let Some(found) = rows.next()? {
            row(&found)?;
        }
        Ok(())
    }

    fn totals(
        &mut self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
        row: &mut dyn FnMut(u32, Total),
    ) -> Result<(), Box<dyn Error>> {
        self.each(query, parameters, |found| {
            let id = u32::try_from(found.try_get::<_, i32>(0)?)?;
            row(id, Total { cents: found.try_get(1)?, sales: found.try_get(2)? });
            Ok(())
        })
    }
}

impl Tables for Reader {
    fn batches(&mut self) -> Result<Vec<(Time, String)>, Box<dyn Error>> {
        let mut batches = Vec::new();
        let query = "SELECT DISTINCT batch_ms, positions::text FROM dstreams_commits WHERE output = $1 ORDER BY batch_ms";
        self.each(query, &[&SALES], |found| {
            batches.push((Time::from_millis(found.try_get(0)?), found.try_get(1)?));
            Ok(())
        })?;
        Ok(batches)
    }

    fn sales(&mut self, row: &mut dyn FnMut(u64, i64)) -> Result<(), Box<dyn Error>> {
        self.each("SELECT id, cents FROM sales", &[], |found| {
            row(u64::try_from(found.try_get::<_, i64>(0)?)?, found.try_get(1)?);
            Ok(())
        })
    }

    fn window(&mut self, end: Time, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>> {
        let query = "SELECT store, cents, sales FROM store_revenue WHERE window_end_ms = $1";
        self.totals(query, &[&end.as_millis()], row)
    }

    fn customers(&mut self, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>> {
        self.totals("SELECT customer, cents, sales FROM customers", &[], row)
    }
}
