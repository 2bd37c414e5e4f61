// SPDX-License-Identifier: Apache-2.0
//! Paths that may be given as URLs: `file:///in` is `/in`, and other schemes are not paths.

/// The local path that `text` stands for, or the scheme of the URL that it is instead.
pub(crate) fn local_path(text: &str) -> Result<&str, &str> {
    match text.split_once(':') {
        Some(("file", local)) => Ok(local.strip_prefix("//").unwrap_or(local)),
        Some((scheme, rest)) if rest.starts_with("//") => Err(scheme),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files_are_paths_and_others_are_not() {
        for (text, path) in [("/in", "/in"), ("in:out", "in:out"), ("file:/in", "/in"), ("file:///in", "/in")]
        {
            assert_eq!(local_path(text), Ok(path));
        }
        assert_eq!(local_path("s3://bucket/in"), Err("s3"));
    }
}
