// SPDX-License-Identifier: Apache-2.0
//! `Text` and its iterators compared with `str`, and the line splitter with a plain model.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use super::repr::INLINE;
use super::*;

/// Strings on both sides of the inline limit, with white space and separators of all widths.
fn any_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,9}",
        1 => "[a-zäπ漢🦀]{10,40}",
        3 => "[ \t\u{b}\u{c}\r\n\u{1}\u{1f}]",
        1 => "[\u{85}\u{a0}\u{1680}\u{2003}\u{3000}é\u{200b}]",
        1 => "[,;]",
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A text with the given content that is a slice of something larger, where it can be one.
fn within_a_block(content: &str) -> Text {
    Text::from(format!("{}{content}{}", "<".repeat(30), ">".repeat(30))).slice(30..30 + content.len())
}

#[test]
fn a_text_and_an_optional_one_have_24_bytes() {
    assert_eq!(size_of::<Text>(), 24);
    assert_eq!(size_of::<Option<Text>>(), 24);
}

#[test]
fn strings_around_the_inline_limit_are_kept() {
    for length in 0..=2 * INLINE + 2 {
        let content = "x".repeat(length);
        for text in [Text::from(content.as_str()), Text::from(content.clone()), within_a_block(&content)] {
            assert_eq!(text, content);
            assert_eq!(text.0.is_shared(), length > INLINE);
        }
    }
}

#[test]
fn an_optional_text_tells_none_from_the_empty_one() {
    let optional = [None, Some(Text::new()), Some(Text::from("\0")), Some(Text::from("\0".repeat(30)))];
    assert_eq!(optional.iter().map(Option::is_none).collect::<Vec<_>>(), [true, false, false, false]);
    assert_ne!(optional[1], optional[2]);
}

#[test]
fn a_clone_of_a_long_text_shares_its_bytes() {
    let text = Text::from("a line that is longer than what fits inline");
    assert_eq!(text.clone().as_ptr(), text.as_ptr());
    assert_eq!(text.slice(2..40).as_ptr(), text[2..].as_ptr());
}

#[test]
fn a_detached_text_has_its_own_bytes() {
    let text = Text::from("a line that is longer than what fits inline");
    let part = text.slice(2..40);
    assert_ne!(part.clone().detached().as_ptr(), part.as_ptr());
    assert_eq!(part.clone().detached(), part);
    assert_eq!(text.clone().detached().as_ptr(), text.as_ptr());
}

#[test]
#[should_panic(expected = "char boundary")]
fn a_slice_within_a_character_panics() {
    let _ = Text::from("é").slice(1..);
}

#[test]
#[should_panic(expected = "out of")]
fn a_slice_beyond_the_end_panics() {
    let _ = Text::from("a line that is longer than what fits inline").slice(10..99);
}

#[test]
fn a_map_of_texts_is_asked_with_str() {
    let map: HashMap<Text, u32> = [("to", 1), ("a key that is longer than what fits inline", 2)]
        .map(|(key, value)| (Text::from(key), value))
        .into();
    assert_eq!(map.get("to"), Some(&1));
    assert_eq!(map.get("a key that is longer than what fits inline"), Some(&2));
    assert_eq!(map.get("be"), None);
}

#[test]
fn references_are_counted_across_threads() {
    let block = LineBlock::from("a line that is longer than what fits inline\n".repeat(3000));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let block = block.clone();
            thread::spawn(move || {
                block.lines().flat_map(|line| vec![line.clone(), line.slice(1..)]).collect()
            })
        })
        .collect();
    drop(block);
    let lines: Vec<Text> =
        workers.into_iter().flat_map(|worker| -> Vec<Text> { worker.join().unwrap() }).collect();
    assert_eq!(lines.len(), 4 * 2 * 3000);
    assert!(lines.iter().all(|line| line.ends_with("fits inline")));
}

#[test]
fn lines_outlive_their_block_and_an_iterator_left_early() {
    let block = LineBlock::from("a line that is longer than what fits inline\n".repeat(2000));
    let mut lines = block.lines();
    let some: Vec<Text> = lines.by_ref().take(1500).collect();
    drop(lines);
    drop(block);
    assert!(some.iter().all(|line| line == "a line that is longer than what fits inline"));
}

#[test]
fn words_longer_than_a_text_share_the_line() {
    let line = Text::from("short and_a_word_that_is_longer_than_23_bytes end");
    let start = line.as_ptr();
    let words: Vec<Text> = line.words().collect();
    assert_eq!(words[1].as_ptr(), start.wrapping_add(6));
}

proptest! {
    #[test]
    fn a_text_is_its_string(content in any_string()) {
        let texts = [Text::from(content.as_str()), Text::from(content.clone()), within_a_block(&content),
            Text::from(Cow::from(content.as_str())), content.parse().unwrap()];
        let hasher = RandomState::new();
        for text in texts {
            prop_assert_eq!(&text, &content);
            prop_assert_eq!(&text, content.as_str());
            prop_assert_eq!(text.len(), content.len());
            prop_assert_eq!(text.to_string(), content.clone());
            prop_assert_eq!(format!("{text:?}"), format!("{content:?}"));
            prop_assert_eq!(hasher.hash_one(&text), hasher.hash_one(content.as_str()));
            prop_assert_eq!(&text.clone(), &text);
            prop_assert_eq!(&Text::from(content.as_str()), &text);
            prop_assert_eq!(String::from(text), content.clone());
        }
    }

    #[test]
    fn texts_compare_as_strings(a in any_string(), b in any_string(), common in any_string()) {
        let (a, b) = (format!("{common}{a}"), format!("{common}{b}"));
        let (x, y) = (within_a_block(&a), Text::from(b.as_str()));
        prop_assert_eq!(x == y, a == b);
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
    }

    #[test]
    fn words_are_those_of_split_whitespace(content in any_string()) {
        for text in [Text::from(content.as_str()), within_a_block(&content)] {
            let words: Vec<Text> = text.words().collect();
            prop_assert_eq!(words, content.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn words_can_be_left_and_resumed_and_have_bounds(content in any_string(), first in 0_usize..9) {
        let mut words = Text::from(content.as_str()).words();
        let taken = words.by_ref().take(first).count();
        let rest: Vec<&str> = content.split_whitespace().skip(taken).collect();
        prop_assert!(words.size_hint().1.unwrap() >= rest.len());
        prop_assert_eq!(words.collect::<Vec<_>>(), rest);
    }

    #[test]
    fn parts_are_those_of_split(content in any_string(), separator in prop_oneof![Just(','), Just('é'), Just('a')]) {
        for text in [Text::from(content.as_str()), within_a_block(&content)] {
            let parts: Vec<Text> = text.split_char(separator).collect();
            prop_assert_eq!(parts, content.split(separator).collect::<Vec<_>>());
        }
    }

    #[test]
    fn slices_are_those_of_str(content in any_string(), from: prop::sample::Index, to: prop::sample::Index) {
        let bounds: Vec<usize> = content.char_indices().map(|(at, _)| at).chain([content.len()]).collect();
        let (a, b) = (*from.get(&bounds), *to.get(&bounds));
        let (start, end) = (a.min(b), a.max(b));
        let text = within_a_block(&content);
        prop_assert_eq!(text.slice(start..end), &content[start..end]);
        prop_assert_eq!(text.slice(start..), &content[start..]);
        prop_assert_eq!(text.slice(..end), &content[..end]);
        prop_assert_eq!(text.slice(..), content);
    }

    #[test]
    fn a_text_is_a_string_on_the_wire(content in any_string()) {
        let bytes = postcard::to_stdvec(&Text::from(content.as_str())).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_stdvec(&content).unwrap());
        prop_assert_eq!(postcard::from_bytes::<Text>(&bytes).unwrap(), content);
    }
}
