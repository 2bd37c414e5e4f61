// SPDX-License-Identifier: Apache-2.0
//! Broadcast values: read-only data that every task may use.

use std::{ops::Deref, sync::Arc};

use crate::record::Data;

/// A named read-only value shared with all tasks. Cheap to clone; freed when the last handle is dropped.
///
/// ```
/// use dstreams_rdd::RddContext;
/// let sc = RddContext::local(2)?;
/// let stop_words = sc.broadcast("stop words", vec!["a", "the"]);
/// let kept = sc.parallelize(["the", "cat"]).filter(move |word| !stop_words.contains(word));
/// assert_eq!(kept.collect()?, ["cat"]);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
pub struct Broadcast<T: Data> {
    id: u64,
    name: Arc<str>,
    value: Arc<T>,
}

impl<T: Data> Broadcast<T> {
    pub(crate) fn new(id: u64, name: &str, value: T) -> Self {
        Self { id, name: name.into(), value: Arc::new(value) }
    }

    /// The number, unique in a context.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name, as events show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }
}

impl<T: Data> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self { id: self.id, name: Arc::clone(&self.name), value: Arc::clone(&self.value) }
    }
}

impl<T: Data> Deref for Broadcast<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
