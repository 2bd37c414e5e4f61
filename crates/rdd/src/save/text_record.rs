// SPDX-License-Identifier: Apache-2.0
//! `TextRecord`: how a record looks as a line of text, when it is printed and in text files.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write,
    sync::Arc,
};

use crate::text::Text;

/// A record with a form as text. Pairs, options and lists look as in Spark: `(word,1)`, `Some(1)`, `List(1, 2)`; a
/// floating-point number always shows that it is one: `1.0`, `1.0E7`.
///
/// Implement it for a type of your own to print it or save it as text:
///
/// ```
/// use dstreams_rdd::TextRecord;
///
/// struct Point(i32, i32);
/// impl TextRecord for Point {
///     fn write_text(&self, out: &mut String) {
///         out.push_str("at ");
///         (self.0, self.1).write_text(out);
///     }
/// }
/// assert_eq!(("home", Some(Point(1, 2))).to_text(), "(home,Some(at (1,2)))");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no form as a line of text",
    label = "needs `TextRecord` to be printed or saved as text",
    note = "turn the records into strings first, as in `.map(|record| format!(\"{{record:?}}\"))`, or implement `TextRecord`"
)]
pub trait TextRecord {
    /// Appends the record, without an end of line.
    fn write_text(&self, out: &mut String);

    /// The record as text.
    fn to_text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text);
        text
    }
}

/// For types whose `Display` is the form wanted.
macro_rules! as_displayed {
    ($($type:ty),*) => {$(
        impl TextRecord for $type {
            fn write_text(&self, out: &mut String) {
                // A string takes whatever is written to it.
                let _never_fails = write!(out, "{self}");
            }
        }
    )*};
}

as_displayed!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool);

/// For types that are strings already.
macro_rules! as_string {
    ($($type:ty),*) => {$(
        impl TextRecord for $type {
            #[inline]
            fn write_text(&self, out: &mut String) {
                out.push_str(self);
            }
        }
    )*};
}

as_string!(str, String, Text, Cow<'_, str>);

/// For types that stand for another one.
macro_rules! as_target {
    ($($type:ty),*) => {$(
        impl<T: TextRecord + ?Sized> TextRecord for $type {
            #[inline]
            fn write_text(&self, out: &mut String) {
                (**self).write_text(out);
            }
        }
    )*};
}

as_target!(&T, Box<T>, Arc<T>);

/// For floating-point numbers.
macro_rules! as_in_java {
    ($($type:ty),*) => {$(
        impl TextRecord for $type {
            /// The shortest digits that give the number back, in the shape that the Java language gives to them.
            fn write_text(&self, out: &mut String) {
                let size = self.abs();
                let _never_fails = if self.is_infinite() {
                    out.push_str(if *self > 0.0 { "Infinity" } else { "-Infinity" });
                    Ok(())
                } else if self.is_nan() || size == 0.0 || (1e-3..1e7).contains(&size) {
                    write!(out, "{self:?}")
                } else {
                    let scientific = format!("{self:e}");
                    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
                    let point = if digits.contains('.') { "" } else { ".0" };
                    write!(out, "{digits}{point}E{exponent}")
                };
            }
        }
    )*};
}

as_in_java!(f32, f64);

impl TextRecord for char {
    fn write_text(&self, out: &mut String) {
        out.push(*self);
    }
}

impl TextRecord for () {
    fn write_text(&self, out: &mut String) {
        out.push_str("()");
    }
}

/// For tuples: `(a,b)`.
macro_rules! as_tuple {
    ($first:ident $($other:ident)*) => {
        impl<$first: TextRecord, $($other: TextRecord),*> TextRecord for ($first, $($other),*) {
            fn write_text(&self, out: &mut String) {
                #[allow(non_snake_case, reason = "each value is named as its type")]
                let ($first, $($other),*) = self;
                out.push('(');
                $first.write_text(out);
                $(
                    out.push(',');
                    $other.write_text(out);
                )*
                out.push(')');
            }
        }
    };
}

as_tuple!(A B);
as_tuple!(A B C);
as_tuple!(A B C D);

impl<T: TextRecord> TextRecord for Option<T> {
    fn write_text(&self, out: &mut String) {
        match self {
            Some(value) => write_all(out, "Some(", [value]),
            None => out.push_str("None"),
        }
    }
}

impl<T: TextRecord, E: TextRecord> TextRecord for Result<T, E> {
    fn write_text(&self, out: &mut String) {
        match self {
            Ok(value) => write_all(out, "Ok(", [value]),
            Err(error) => write_all(out, "Err(", [error]),
        }
    }
}

impl<T: TextRecord> TextRecord for [T] {
    fn write_text(&self, out: &mut String) {
        write_all(out, "List(", self);
    }
}

impl<T: TextRecord> TextRecord for Vec<T> {
    fn write_text(&self, out: &mut String) {
        write_all(out, "List(", self);
    }
}

impl<T: TextRecord, const N: usize> TextRecord for [T; N] {
    fn write_text(&self, out: &mut String) {
        write_all(out, "List(", self);
    }
}

impl<T: TextRecord> TextRecord for BTreeSet<T> {
    fn write_text(&self, out: &mut String) {
        write_all(out, "Set(", self);
    }
}

impl<T: TextRecord, S> TextRecord for HashSet<T, S> {
    fn write_text(&self, out: &mut String) {
        write_all(out, "Set(", self);
    }
}

impl<K: TextRecord, V: TextRecord> TextRecord for BTreeMap<K, V> {
    fn write_text(&self, out: &mut String) {
        write_all(out, "Map(", self.iter().map(Entry));
    }
}

impl<K: TextRecord, V: TextRecord, S> TextRecord for HashMap<K, V, S> {
    fn write_text(&self, out: &mut String) {
        write_all(out, "Map(", self.iter().map(Entry));
    }
}

/// One entry of a map.
struct Entry<'a, K, V>((&'a K, &'a V));

impl<K: TextRecord, V: TextRecord> TextRecord for Entry<'_, K, V> {
    fn write_text(&self, out: &mut String) {
        let (key, value) = self.0;
        key.write_text(out);
        out.push_str(" -> ");
        value.write_text(out);
    }
}

fn write_all<T: TextRecord>(out: &mut String, open: &str, items: impl IntoIterator<Item = T>) {
    out.push_str(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        item.write_text(out);
    }
    out.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_options_and_collections_look_as_in_scala() {
        assert_eq!(("k1", 1.0).to_text(), "(k1,1.0)");
        assert_eq!((1, 'c', true, ()).to_text(), "(1,c,true,())");
        assert_eq!(((1, 2), Text::from("x")).to_text(), "((1,2),x)");
        assert_eq!((Some("a"), None::<u8>).to_text(), "(Some(a),None)");
        assert_eq!(vec![vec![1, 2], vec![]].to_text(), "List(List(1, 2), List())");
        assert_eq!(BTreeMap::from([(1, "a"), (2, "b")]).to_text(), "Map(1 -> a, 2 -> b)");
        assert_eq!(BTreeSet::from([2, 1]).to_text(), "Set(1, 2)");
        assert_eq!([Ok(1), Err("no")].to_text(), "List(Ok(1), Err(no))");
        assert_eq!(Arc::new(String::from("shared")).to_text(), "shared");
    }

    #[test]
    fn numbers_with_a_point_look_as_in_java() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-12.5, "-12.5"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-123_456_789.0, "-1.23456789E8"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e100, "1.0E100"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in cases {
            assert_eq!(number.to_text(), text);
        }
        assert_eq!(0.1_f32.to_text(), "0.1");
        assert_eq!(1.6e9_f32.to_text(), "1.6E9");
    }
}
