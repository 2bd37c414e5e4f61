// SPDX-License-Identifier: Apache-2.0
//! What `print` writes and which files `save_as_…` leaves, compared with the output of Spark for the same batches.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use dstreams_streaming::testing::TestContext;
use parking_lot::Mutex;
use tempfile::TempDir;

/// A writer whose text can be looked at.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn print_looks_as_in_spark() {
    let test = TestContext::new().unwrap();
    let page = Page::default();
    let numbers = test.input(vec![(1..=12).collect(), (1..=10).collect(), vec![]]);
    numbers.print_to(10, page.clone());
    numbers.map(|n: i32| (format!("k{n}"), f64::from(n))).print_to(2, page.clone());
    test.run(3).unwrap();
    let rule = "-".repeat(43);
    let block = |time: &str, lines: &str| format!("{rule}\nTime: {time} ms\n{rule}\n{lines}\n");
    let ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    let pairs = "(k1,1.0)\n(k2,2.0)\n...\n";
    let expected = [
        block("1000", &format!("{ten}...\n")),
        block("1000", pairs),
        block("2000", ten),
        block("2000", pairs),
        block("3000", ""),
        block("3000", ""),
    ]
    .concat();
    assert_eq!(String::from_utf8(page.0.lock().clone()).unwrap(), expected);
}

/// Three records in two partitions, then an empty batch, saved in each way.
fn saved() -> (TestContext, TempDir) {
    let (test, directory) = (TestContext::new().unwrap(), tempfile::tempdir().unwrap());
    let numbers = test.input(vec![vec![1, 2, 3], vec![]]);
    let pairs = numbers.map(|n: i32| (n, format!("v{n}")));
    let root = directory.path();
    numbers.save_as_text_files(root.join("txt"), "suf");
    numbers.save_as_text_files(root.join("nosuf"), "");
    numbers.save_as_object_files(root.join("obj"), "bin");
    pairs.save_as_text_files(root.join("pairs"), "");
    test.run(2).unwrap();
    (test, directory)
}

/// The files below a directory, relative to it and sorted.
fn files_below(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for directory in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            files.push(file.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    files.sort();
    files
}

#[test]
fn saved_batches_have_the_files_of_spark() {
    let (_test, directory) = saved();
    let mut expected = Vec::new();
    for batch in ["nosuf-1000", "nosuf-2000", "obj-1000.bin", "obj-2000.bin"] {
        expected.extend(["_SUCCESS", "part-00000", "part-00001"].map(|file| format!("{batch}/{file}")));
    }
    for batch in ["pairs-1000", "pairs-2000", "txt-1000.suf", "txt-2000.suf"] {
        expected.extend(["_SUCCESS", "part-00000", "part-00001"].map(|file| format!("{batch}/{file}")));
    }
    assert_eq!(files_below(directory.path()), expected);
}

#[test]
fn saved_text_has_the_lines_of_spark() {
    let (_test, directory) = saved();
    let text = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
    assert_eq!(text("txt-1000.suf/part-00000"), "1\n");
    assert_eq!(text("txt-1000.suf/part-00001"), "2\n3\n");
    assert_eq!(text("pairs-1000/part-00000"), "(1,v1)\n");
    assert_eq!(text("pairs-1000/part-00001"), "(2,v2)\n(3,v3)\n");
    assert_eq!(text("txt-2000.suf/part-00000"), "");
}

#[test]
fn saved_objects_can_be_read_back() {
    let (test, directory) = saved();
    let read = |batch: &str| {
        let rdd = test.context().rdd_context().object_file::<i32>(directory.path().join(batch)).unwrap();
        rdd.collect().unwrap()
    };
    assert_eq!(read("obj-1000.bin"), [1, 2, 3]);
    assert_eq!(read("obj-2000.bin"), Vec::<i32>::new());
}

#[test]
fn a_batch_that_is_saved_again_replaces_its_files() {
    let directory = tempfile::tempdir().unwrap();
    for partitions in [3, 2] {
        let test = TestContext::new().unwrap();
        let numbers = test.input_with(vec![Some(vec![1, 2, 3])], partitions);
        numbers.save_as_text_files(directory.path().join("n"), "");
        test.run(1).unwrap();
    }
    assert_eq!(files_below(directory.path()), ["n-1000/_SUCCESS", "n-1000/part-00000", "n-1000/part-00001"]);
}
