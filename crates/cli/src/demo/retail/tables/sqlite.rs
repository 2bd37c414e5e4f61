// SPDX-License-Identifier: Apache-2.0
//! The tables in SQLite.

use std::{error::Error, path::Path};

use dstreams::{
    Time,
    sqlite::{
        SqliteSink,
        rusqlite::{self, Connection, OpenFlags, params},
    },
    streaming::PartitionRecords,
};

use super::{EnrichedSale, SALES, Tables, Total};

// No key, on purpose: nothing but the sink keeps a sale from being stored twice, and the proof would find it.
const SALES_TABLE: &str = "CREATE TABLE IF NOT EXISTS sales (
    id INTEGER NOT NULL, at_ms INTEGER NOT NULL, store INTEGER NOT NULL, region TEXT NOT NULL,
    customer INTEGER NOT NULL, product INTEGER NOT NULL, category TEXT NOT NULL, quantity INTEGER NOT NULL,
    cents INTEGER NOT NULL, payment TEXT NOT NULL)";
const STORE_REVENUE_TABLE: &str = "CREATE TABLE IF NOT EXISTS store_revenue (
    window_end_ms INTEGER NOT NULL, store INTEGER NOT NULL, cents INTEGER NOT NULL, sales INTEGER NOT NULL,
    PRIMARY KEY (window_end_ms, store)) WITHOUT ROWID";
const CUSTOMERS_TABLE: &str = "CREATE TABLE IF NOT EXISTS customers (
    customer INTEGER PRIMARY KEY, cents INTEGER NOT NULL, sales INTEGER NOT NULL)";

pub(super) fn sales(database: &Path) -> SqliteSink<EnrichedSale> {
    let insert = "INSERT INTO sales VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    SqliteSink::new(database, insert, |EnrichedSale { sale, category, region }, insert| {
        let (category, region) = (category.as_str(), region.as_str());
        insert.execute(params![
            sale.id,
            sale.at,
            sale.store,
            region,
            sale.customer,
            sale.product,
            category,
            sale.quantity,
            sale.cents,
            sale.payment.name()
        ])
    })
    .setup(SALES_TABLE)
}

pub(super) fn store_revenue(database: &Path) -> SqliteSink<(u32, Total)> {
    SqliteSink::with(database, |transaction, stores: &mut PartitionRecords<(u32, Total)>| {
        let window_end = stores.batch_time().as_millis();
        let mut insert = transaction.prepare_cached("INSERT INTO store_revenue VALUES (?1, ?2, ?3, ?4)")?;
        let mut written = 0;
        for (store, total) in stores {
            insert.execute((window_end, store, total.cents, total.sales))?;
            written += 1;
        }
        Ok::<u64, rusqlite::Error>(written)
    })
    .setup(STORE_REVENUE_TABLE)
}

pub(super) fn customers(database: &Path) -> SqliteSink<(u32, Total)> {
    let put = "INSERT INTO customers VALUES (?1, ?2, ?3)
        ON CONFLICT (customer) DO UPDATE SET cents = excluded.cents, sales = excluded.sales";
    SqliteSink::new(database, put, |(customer, total): (u32, Total), put| {
        put.execute((customer, total.cents, total.sales))
    })
    .setup(CUSTOMERS_TABLE)
}

pub(super) struct Reader(Connection);

impl Reader {
    pub(super) fn open(database: &Path) -> rusqlite::Result<Self> {
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).map(Self)
    }
}

impl Tables for Reader {
    fn batches(&mut self) -> Result<Vec<(Time, String)>, Box<dyn Error>> {
        let mut query = self.0.prepare(
            "SELECT DISTINCT batch_ms, positions FROM dstreams_commits WHERE output = ?1 ORDER BY batch_ms",
        )?;
        let rows = query.query_map([SALES], |row| Ok((Time::from_millis(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn sales(&mut self, row: &mut dyn FnMut(u64, i64)) -> Result<(), Box<dyn Error>> {
        let mut query = self.0.prepare("SELECT id, cents FROM sales")?;
        let mut rows = query.query(())?;
        while let Some(found) = rows.next()? {
            row(found.get(0)?, found.get(1)?);
        }
        Ok(())
    }

    fn window(&mut self, end: Time, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>> {
        let mut query = self
            .0
            .prepare_cached("SELECT store, cents, sales FROM store_revenue WHERE window_end_ms = ?1")?;
        let mut rows = query.query([end.as_millis()])?;
        while let Some(found) = rows.next()? {
            row(found.get(0)?, Total { cents: found.get(1)?, sales: found.get(2)? });
        }
        Ok(())
    }

    fn customers(&mut self, row: &mut dyn FnMut(u32, Total)) -> Result<(), Box<dyn Error>> {
        let mut query = self.0.prepare("SELECT customer, cents, sales FROM customers")?;
        let mut rows = query.query(())?;
        while let Some(found) = rows.next()? {
            row(found.get(0)?, Total { cents: found.get(1)?, sales: found.get(2)? });
        }
        Ok(())
    }
}
