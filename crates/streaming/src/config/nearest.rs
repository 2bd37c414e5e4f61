// SPDX-License-Identifier: Apache-2.0
//! Finds the known name that a mistyped one was probably meant to be.

/// The name closest to `wanted`, unless even that differs in more than half of the letters.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = wanted.to_ascii_lowercase();
    let tail = format!(".{wanted}");
    let remoteness = |name: &str| {
        let name = name.to_ascii_lowercase();
        // The last words of a name without their prefix are as good as the whole.
        if name.ends_with(&tail) { 0 } else { distance(&wanted, &name) }
    };
    let (remoteness, name) =
        names.map(|name| (remoteness(name), name)).min_by_key(|(remoteness, _)| *remoteness)?;
    (remoteness <= wanted.len() / 2).then(|| name.to_owned())
}

/// The Levenshtein distance: how many letters must be inserted, removed or replaced.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // One row of the matrix of distances between the prefixes of `a` and those of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_through_typing_errors_letter_case_and_missing_prefixes() {
        let names = ["spark.streaming.blockInterval", "spark.streaming.unpersist"];
        let nearest = |wanted| nearest(wanted, names.into_iter());
        assert_eq!(nearest("spark.streaming.blokInterval").as_deref(), Some(names[0]));
        assert_eq!(nearest("SPARK.STREAMING.UNPERSIST").as_deref(), Some(names[1]));
        assert_eq!(nearest("blockInterval").as_deref(), Some(names[0]));
        assert_eq!(nearest("color"), None);
    }
}
