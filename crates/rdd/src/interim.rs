// SPDX-License-Identifier: Apache-2.0
//! Names that other branches bring.
#![allow(missing_docs)]
pub trait TextRecord {
    fn write_text(&self, out: &mut String);
}
impl<T: std::fmt::Debug> TextRecord for T {
    fn write_text(&self, out: &mut String) {
        out.push_str(&format!("{self:?}"));
    }
}
