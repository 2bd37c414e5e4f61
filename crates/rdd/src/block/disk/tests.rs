// SPDX-License-Identifier: Apache-2.0
//! The life of temporary directories and files, and the errors around them.

#![allow(clippy::unwrap_used, reason = "tests")]

use tempfile::{TempDir, tempdir};

use super::*;

fn names(root: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory as a process leaves it that was killed.
fn left_over(root: &TempDir, name: &str) -> PathBuf {
    let path = root.path().join(name);
    fs::create_dir(&path).unwrap();
    File::create_new(path.join(LOCK)).unwrap();
    fs::write(path.join("spill-000000"), "records").unwrap();
    path
}

#[test]
fn the_directory_lives_from_the_first_file_to_the_last_handle() {
    let root = tempdir().unwrap();
    let store = DiskStore::new(root.path());
    assert_eq!(names(&root), Vec::<String>::new());
    let file = store.create("spill").unwrap();
    assert_eq!(names(&root).len(), 1);
    assert!(names(&root)[0].starts_with(&format!("dstreams-{}-", process::id())));
    drop(store);
    assert!(file.path().exists());
    drop(file);
    assert_eq!(names(&root), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn the_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;

    let root = tempdir().unwrap();
    let file = DiskStore::new(root.path()).create("spill").unwrap();
    let mode = fs::metadata(file.path().parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_root_that_is_missing_is_made() {
    let root = tempdir().unwrap();
    let file = DiskStore::new(root.path().join("a/b")).create("spill").unwrap();
    assert!(file.path().starts_with(root.path().join("a/b")));
}

#[test]
fn bytes_are_counted_and_files_removed_with_the_last_handle() {
    let root = tempdir().unwrap();
    let store = DiskStore::new(root.path());
    let (a, b) = (store.create("spill").unwrap(), store.create("spill").unwrap());
    assert_ne!(a.path(), b.path());
    a.writer().write_all(b"abc").unwrap();
    b.writer().write_all(b"de").unwrap();
    a.writer().write_all(b"f").unwrap();
    assert_eq!((a.bytes(), b.bytes(), store.bytes_on_disk()), (4, 2, 6));

    let (path, mut reader) = (a.path().to_owned(), a.reader().unwrap());
    drop(a);
    assert!(path.exists());
    let mut content = String::new();
    reader.seek(SeekFrom::Start(1)).unwrap();
    reader.read_to_string(&mut content).unwrap();
    assert_eq!(content, "bcf");
    drop(reader);
    assert!(!path.exists());
    assert_eq!(store.bytes_on_disk(), 2);
}

#[test]
fn left_overs_of_the_dead_are_removed_and_nothing_else() {
    let root = tempdir().unwrap();
    let dead = left_over(&root, "dstreams-1-dead");
    let alive = left_over(&root, "dstreams-1-alive");
    let lock = File::open(alive.join(LOCK)).unwrap();
    lock.lock().unwrap();
    let other = left_over(&root, "other");
    let without_lock = root.path().join("dstreams-output");
    fs::create_dir(&without_lock).unwrap();
    fs::write(root.path().join("dstreams-file"), "").unwrap();
    let neighbour = DiskStore::new(root.path()).create("spill").unwrap();
    assert!(!dead.exists());

    let dead = left_over(&root, "dstreams-2-dead");
    let _ours = DiskStore::new(root.path()).create("spill").unwrap();
    assert!(!dead.exists());
    assert!(alive.join("spill-000000").exists());
    assert!(other.exists() && without_lock.exists() && root.path().join("dstreams-file").exists());
    assert!(neighbour.path().exists());
}

#[test]
fn errors_name_the_directory_and_the_way_out() {
    let error = |kind: ErrorKind| DiskError::new(Path::new("/data"), 4096, kind.into());
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        let error = error(kind);
        assert!(matches!(error, DiskError::Full { needed: 4096, .. }));
        let message = error.to_string();
        assert!(["/data", "4096", "spark.local.dir"].iter().all(|part| message.contains(part)), "{message}");
    }
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
        assert!(matches!(error(kind), DiskError::Denied { .. }));
    }
}

#[test]
fn a_root_that_is_a_file_is_an_error_that_names_it() {
    let root = tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "").unwrap();
    let error = DiskStore::new(&path).create("spill").unwrap_err();
    assert!(matches!(error, DiskError::Io { directory, .. } if directory == path));
}

#[test]
fn a_failed_write_says_how_much_did_not_fit() {
    let root = tempdir().unwrap();
    let store = DiskStore::new(root.path());
    let mut file = store.create("spill").unwrap();
    // A handle that cannot be written to stands for a disk that fails.
    let path = file.path().to_owned();
    Arc::get_mut(&mut file.0).unwrap().file = File::open(&path).unwrap();
    let error = file.writer().write_all(b"records").unwrap_err();
    assert!(error.get_ref().unwrap().downcast_ref::<DiskError>().is_some());
    assert_eq!(store.bytes_on_disk(), 0);
}
