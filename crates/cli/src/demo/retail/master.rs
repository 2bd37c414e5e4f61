// SPDX-License-Identifier: Apache-2.0
//! The master data of products and stores, in a database of their own, and how sales are enriched with them.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{Arc, RwLock},
};

use dstreams::{
    Text,
    sqlite::rusqlite::{self, Connection, OpenFlags},
    streaming::{BoxError, ConnectionPool},
};
use serde::{Deserialize, Serialize};

use super::message::{Rejected, Sale};

pub(super) const PRODUCTS: u32 = 2_000;
pub(super) const STORES: u32 = 400;

const CATEGORIES: [&str; 8] = ["bakery", "dairy", "drinks", "frozen", "fruit", "household", "meat", "sweets"];
const REGIONS: [&str; 6] = ["Bavaria", "Berlin", "Hamburg", "Hesse", "Saxony", "Thuringia"];

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, category TEXT NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS stores (id INTEGER PRIMARY KEY, region TEXT NOT NULL);";

/// A sale with what the master data know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EnrichedSale {
    pub(super) sale: Sale,
    pub(super) category: Text,
    pub(super) region: Text,
}

/// The price of one piece.
pub(super) fn price_of(product: u32) -> i64 {
    i64::from(19 + product * 7 % 1_981)
}

/// Writes the master data, unless they are there.
pub(super) fn create(database: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(database)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    let mut product = transaction.prepare("INSERT OR IGNORE INTO products VALUES (?1, ?2, ?3)")?;
    for id in 1..=PRODUCTS {
        product.execute((id, CATEGORIES[id as usize % CATEGORIES.len()], price_of(id)))?;
    }
    let mut store = transaction.prepare("INSERT OR IGNORE INTO stores VALUES (?1, ?2)")?;
    for id in 1..=STORES {
        store.execute((id, REGIONS[id as usize % REGIONS.len()]))?;
    }
    drop((product, store));
    transaction.commit()
}

/// Looks master data up, in batches.
///
/// A query for each sale would make the stream as slow as the round trip to the database. So the sales of a partition are
/// collected first, and what is not known yet about all of them together is asked for in one query. What has been
/// found is kept for the partitions and batches that follow. What was not found is asked for again, as it may have
/// been added since. Where master data change, rows should be kept for a limited time only.
#[derive(Clone)]
pub(super) struct MasterData {
    products: Lookup,
    stores: Lookup,
}

impl MasterData {
    pub(super) fn new(database: &Path) -> Self {
        let path = database.to_owned();
        // Tasks run in parallel and a connection serves one at a time. They are opened when first needed, and reused.
        let connections =
            ConnectionPool::new(move || Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY));
        let lookup = |sql| Lookup { connections: connections.clone(), sql, known: Arc::default() };
        Self {
            products: lookup(
                "SELECT id, category FROM products WHERE id IN (SELECT value FROM json_each(?1))",
            ),
            stores: lookup("SELECT id, region FROM stores WHERE id IN (SELECT value FROM json_each(?1))"),
        }
    }

    /// The sales of a partition with their master data; a sale of what does not exist is rejected.
    pub(super) fn enrich(
        &self,
        sales: Vec<Result<Sale, Rejected>>,
    ) -> Result<impl Iterator<Item = Result<EnrichedSale, Rejected>> + use<>, BoxError> {
        let categories = self.products.get(sales.iter().flatten().map(|sale| sale.product))?;
        let regions = self.stores.get(sales.iter().flatten().map(|sale| sale.store))?;
        Ok(sales.into_iter().map(move |sale| {
            let sale = sale?;
            let Some(category) = categories.get(&sale.product).cloned() else {
                return Err(sale.rejected(format!("unknown product {}", sale.product)));
            };
            let Some(region) = regions.get(&sale.store).cloned() else {
                return Err(sale.rejected(format!("unknown store {}", sale.store)));
            };
            Ok(EnrichedSale { sale, category, region })
        }))
    }
}

/// One table of master data: names by number.
#[derive(Clone)]
struct Lookup {
    connections: ConnectionPool<Connection>,
    /// Takes the numbers as a JSON array, so that it is one prepared statement however many there are.
    sql: &'static str,
    known: Arc<RwLock<Arc<HashMap<u32, Text>>>>,
}

impl Lookup {
    /// What is known of all `ids`. The lock is taken once for a partition, not for each of its records.
    fn get(&self, ids: impl Iterator<Item = u32>) -> Result<Arc<HashMap<u32, Text>>, BoxError> {
        let known = Arc::clone(&self.known.read().expect("nothing panics while it holds the lock"));
        let missing: BTreeSet<u32> = ids.filter(|id| !known.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(known);
        }
        let connection = self.connections.get()?;
        let mut query = connection.prepare_cached(self.sql)?;
        let rows = query.query_map([serde_json::to_string(&missing)?], |row| {
            Ok((row.get(0)?, Text::from(row.get_ref(1)?.as_str()?)))
        })?;
        let mut all = HashMap::clone(&known);
        for row in rows {
            let (id, name) = row?;
            all.insert(id, name);
        }
        let all = Arc::new(all);
        *self.known.write().expect("nothing panics while it holds the lock") = Arc::clone(&all);
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use dstreams::streaming::Rejection as _;

    use super::*;
    use crate::demo::retail::message::Payment;

    fn sale(store: u32, product: u32) -> Result<Sale, Rejected> {
        let payment = Payment::Card;
        Ok(Sale { id: 512, at: 0, store, customer: 1, product, quantity: 1, cents: 1, payment })
    }

    #[test]
    fn what_exists_is_enriched_and_what_is_added_later_is_found_later() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("master.db");
        create(&database).unwrap();
        create(&database).unwrap();
        let master = MasterData::new(&database);
        let enrich = |product| master.enrich(vec![sale(3, product), sale(3, 1)]).unwrap().collect::<Vec<_>>();
        let enriched = enrich(PRODUCTS + 1);
        assert_eq!(enriched[0].as_ref().unwrap_err().reason(), "unknown product 2001");
        let good = enriched[1].as_ref().unwrap();
        assert_eq!((&*good.category, &*good.region), ("dairy", REGIONS[3]));
        let connection = Connection::open(&database).unwrap();
        connection.execute("INSERT INTO products VALUES (2001, 'toys', 5)", ()).unwrap();
        assert_eq!(enrich(PRODUCTS + 1)[0].as_ref().unwrap().category, "toys");
    }
}
