// SPDX-License-Identifier: Apache-2.0
//! Reports to files: one per metric, a line per report. A file that has grown too long goes on in a new one, and the one
//! before the last is given up.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Sink, numbers};
use crate::{
    error::{Error, Result},
    settings::Options,
    snapshot::Value,
};

/// How long a file may become, in bytes: a year of reports every ten seconds takes five of them.
const LONGEST: u64 = 16 << 20;

/// Writes `<metric>.csv` into a directory.
pub(crate) struct Csv {
    directory: PathBuf,
}

impl Csv {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self> {
        let directory = options.text("directory").map_or_else(std::env::temp_dir, PathBuf::from);
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(Self { directory }),
            Err(cause) => Err(Error::Directory { path: directory, cause: Arc::new(cause) }),
        }
    }
}

impl Sink for Csv {
    fn name(&self) -> String {
        format!("CSV files in {}", self.directory.display())
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, now: i64) -> io::Result<()> {
        for (name, value) in values {
            let file: String =
                name.chars().map(|char| if "/\\:".contains(char) { '_' } else { char }).collect();
            let (names, numbers): (Vec<_>, Vec<_>) = numbers(value).into_iter().unzip();
            let names = names.iter().map(|name| if name.is_empty() { "value" } else { name });
            let mut header = format!("t,{}", names.collect::<Vec<_>>().join(","));
            let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
            let mut line = format!("{},{}", now / 1000, numbers.join(","));
            if matches!(value, Value::Timer(..)) {
                header += ",rate_unit,duration_unit";
                line += ",calls/second,milliseconds";
            }
            append(&self.directory.join(format!("{file}.csv")), &header, &line, LONGEST)?;
        }
        Ok(())
    }
}

fn append(path: &Path, header: &str, line: &str, longest: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut length = file.metadata()?.len();
    if length > longest {
        fs::rename(path, path.with_extension("csv.1"))?;
        file = OpenOptions::new().create(true).append(true).open(path)?;
        length = 0;
    }
    let header = if length == 0 { format!("{header}\n") } else { String::new() };
    file.write_all(format!("{header}{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Number;

    #[test]
    fn each_metric_has_a_file_with_a_header() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut csv = Csv { directory: directory.path().to_owned() };
        for now in [10_000, 20_000] {
            let values = BTreeMap::from([
                ("a.b".to_owned(), Value::Gauge(Number::Int(now))),
                ("c/d".to_owned(), Value::Counter(7)),
            ]);
            csv.report(&values, now).expect("it can be written");
        }
        let read = |name| fs::read_to_string(directory.path().join(name)).expect("it is there");
        assert_eq!(read("a.b.csv"), "t,value\n10,10000\n20,20000\n");
        assert_eq!(read("c_d.csv"), "t,count\n10,7\n20,7\n");
    }

    #[test]
    fn files_do_not_grow_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.csv");
        (0..100).for_each(|line| append(&path, "t,value", &line.to_string(), 50).expect("it can be written"));
        let sizes = fs::read_dir(directory.path())
            .expect("a directory")
            .map(|entry| entry.and_then(|entry| entry.metadata()).map_or(0, |file| file.len()));
        let sizes: Vec<u64> = sizes.collect();
        assert!(sizes.len() == 2 && sizes.iter().all(|size| *size < 70), "{sizes:?}");
    }
}
