// SPDX-License-Identifier: Apache-2.0
//! What a record must be able to do: `Data` to live in a dataset, `Wire` to leave a task, `Key` to be grouped by.

use std::hash::Hash;

use serde::{Serialize, de::DeserializeOwned};

/// A record of a dataset: any type that can be cloned and sent between threads. Implemented for all such types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a record of a dataset",
    label = "records are `Clone + Send + Sync + 'static`",
    note = "derive `Clone`, own the data instead of borrowing it, and use `Arc` and `Mutex` in place of `Rc` and `RefCell`"
)]
pub trait Data: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Data for T {}

/// A record that can leave a task: through a shuffle, to disk, or into a checkpoint. Implemented for all [`Data`]
/// with serde's two traits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be moved between tasks or kept on disk",
    label = "needs serde's `Serialize` and `DeserializeOwned`",
    note = "add `#[derive(Clone, serde::Serialize, serde::Deserialize)]` to the type; a borrowed `&str` becomes `Text` or `String`"
)]
pub trait Wire: Data + Serialize + DeserializeOwned {}

impl<T: Data + Serialize + DeserializeOwned> Wire for T {}

/// A key that records can be grouped by: [`Wire`] with equality and a hash.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "keys are `Hash + Eq` and can be moved between tasks",
    note = "derive `Hash`, `PartialEq`, `Eq` and serde's traits; floating-point numbers have no equality and cannot be keys"
)]
pub trait Key: Wire + Hash + Eq {}

impl<T: Wire + Hash + Eq> Key for T {}
