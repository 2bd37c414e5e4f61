// SPDX-License-Identifier: Apache-2.0
//! What types look like, and which changes of a type can be read.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::*;

fn shape<T: DeserializeOwned>() -> Shape {
    Shape::of::<T>().expect("it is unambiguous")
}

fn name<T: DeserializeOwned>() -> String {
    let shape = shape::<T>();
    assert!(shape.fields.is_empty(), "{shape:?}");
    shape.name
}

#[derive(Serialize, Deserialize)]
enum Tree {
    Node(Box<Tree>, Vec<Tree>),
    Leaf { value: u32 },
}

#[test]
fn types_that_are_no_structs_have_a_text() {
    assert_eq!(name::<u64>(), "u64");
    assert_eq!(name::<String>(), "string");
    assert_eq!(name::<dstreams_rdd::Text>(), "string");
    assert_eq!(name::<(u32, Option<char>)>(), "(u32, option<char>)");
    assert_eq!(name::<Vec<(String, f32)>>(), "[(string, f32)]");
    assert_eq!(name::<HashMap<u8, BTreeSet<bool>>>(), "map<u8, [bool]>");
    assert_eq!(name::<Result<u8, ()>>(), "Result [Ok|Err]");
    assert_eq!(name::<crate::Time>(), "i64");
    assert_eq!(name::<Tree>(), "Tree [Node|Leaf]", "a type that refers to itself has an end");
    assert_eq!(name::<()>(), "()");
}

#[derive(Serialize, Deserialize)]
struct Inner {
    x: i8,
    tree: Option<Box<Inner>>,
}

#[derive(Serialize, Deserialize)]
struct Session {
    user: String,
    // Refuses the made-up string.
    address: Strict,
    #[serde(default)]
    visits: u32,
    last: Option<u64>,
    inner: Vec<Inner>,
}

#[derive(Serialize)]
struct Strict(String);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains('@') { Ok(Self(text)) } else { Err(serde::de::Error::custom("no address")) }
    }
}

#[test]
fn a_struct_has_its_fields() {
    let session = shape::<Session>();
    assert_eq!(session.name, "Session");
    let fields: Vec<_> = session.fields.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    assert_eq!(
        fields[0], "address: string = default",
        "whether it may be missing is not known, but its type is"
    );
    assert_eq!(fields[2], "last: option<u64>");
    assert_eq!(fields[3], "user: string = default");
    assert_eq!(fields[4], "visits: u32 = default");
    assert!(
        fields[1].starts_with("inner: [Inner {x: i8, tree: option<Inner {x: i8, tree: "),
        "{}",
        fields[1]
    );
}

#[test]
fn options_that_look_alike_are_refused() {
    #[derive(Deserialize)]
    #[expect(clippy::option_option, reason = "it is what is refused")]
    struct Deep {
        #[expect(dead_code, reason = "only its type counts")]
        field: Vec<Option<Option<u8>>>,
    }
    let text = Shape::of::<Deep>().expect_err("it is ambiguous").to_string();
    assert!(text.contains("Deep has an Option of an Option"), "{text}");
    assert!(Shape::of::<Option<()>>().is_err());
    assert!(Shape::of::<Option<Vec<Option<u8>>>>().is_ok());
}

fn reading<Now: DeserializeOwned, Stored: DeserializeOwned>() -> Reading {
    let now = StateSchema::of::<u8, Now>(1, "memory").expect("it is unambiguous");
    now.reads(&StateSchema::of::<u8, Stored>(2, "disk").expect("it is unambiguous"))
}

mod v1 {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its type counts")]
    pub(super) struct Visits {
        count: u32,
        page: String,
    }
}

mod v2 {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its type counts")]
    pub(super) struct Sessions {
        count: u64,
        #[serde(default)]
        country: String,
        referrer: Option<String>,
    }
}

mod v3 {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its type counts")]
    pub(super) struct Visits {
        count: u32,
        page: String,
        country: String,
    }
}

#[test]
fn stored_states_are_kept_migrated_or_unreadable() {
    assert_eq!(reading::<v1::Visits, v1::Visits>(), Reading::Kept);
    let migrated = ["count: u32 -> u64", "+country", "+referrer", "-page"].map(str::to_owned).to_vec();
    assert_eq!(reading::<v2::Sessions, v1::Visits>(), Reading::Migrated(migrated));
    let Reading::Unreadable(why) = reading::<v3::Visits, v1::Visits>() else { panic!("a field is new") };
    assert!(why.contains("the new field `country`") && why.contains("#[serde(default)]"), "{why}");
    let Reading::Unreadable(why) = reading::<v1::Visits, v2::Sessions>() else { panic!("it is narrower") };
    assert!(why.contains("`count` was u64 and is u32"), "{why}");
    assert_eq!(reading::<i64, u32>(), Reading::Migrated(vec!["u32 -> i64".to_owned()]));
    assert_eq!(reading::<Option<u8>, u8>(), Reading::Migrated(vec!["u8 -> option<u8>".to_owned()]));
    for narrower in
        [reading::<u32, i64>(), reading::<u64, i64>(), reading::<i32, u32>(), reading::<String, u8>()]
    {
        assert!(matches!(narrower, Reading::Unreadable(_)), "{narrower:?}");
    }
    assert!(matches!(reading::<u8, v1::Visits>(), Reading::Unreadable(_)));
}
