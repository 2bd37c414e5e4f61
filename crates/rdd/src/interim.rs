// SPDX-License-Identifier: Apache-2.0
//! Names that other branches bring.
#![allow(missing_docs)]
#[derive(Clone, Copy)]
pub struct StorageLevel;
impl StorageLevel { pub const MEMORY_AND_DISK: Self = Self; pub const MEMORY_ONLY: Self = Self; }
impl<T: crate::Data> crate::Rdd<T> { pub fn persist(&self, _l: StorageLevel) -> Self { self.clone() } pub fn cache(&self) -> Self { self.clone() } }
impl crate::RddContext { pub fn is_same(&self, o: &Self) -> bool { std::ptr::eq(self.options(), o.options()) } pub fn cancel_all_jobs(&self) {} }
