// SPDX-License-Identifier: Apache-2.0
//! `print`: the first records of each batch on standard output.

use std::{
    io::{self, Write},
    panic::Location,
    sync::Arc,
};

use dstreams_rdd::{Data, TextRecord};
use parking_lot::Mutex;

use crate::{dstream::DStream, error::Error, error::Result, time::Time};

/// How many records `print` shows.
const FIRST: usize = 10;

impl<T: Data + TextRecord> DStream<T> {
    /// Prints the batch time and the first ten records of every batch, one per line, and `...` if there are more.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![("a", 1)]]).print();
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn print(&self) {
        self.print_first(FIRST);
    }

    /// As [`print`](Self::print), with the first `n` records.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![1, 2, 3]]).print_first(2);
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn print_first(&self, n: usize) {
        self.print_to(n, io::stdout());
    }

    /// As [`print_first`](Self::print_first), on another writer.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![1, 2, 3]]).print_to(2, std::io::stderr());
    /// test.run(1)?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn print_to(&self, n: usize, writer: impl Write + Send + 'static) {
        let writer = Arc::new(Mutex::new(writer));
        self.output("print", Location::caller(), move |rdd, time| {
            let first = rdd.take(n + 1)?;
            write_batch(&mut *writer.lock(), time, &first, n).map_err(Error::user)
        });
    }
}

/// Writes one batch in one piece, so that outputs that run at the same time do not mix their lines.
fn write_batch<T: TextRecord>(
    out: &mut impl Write,
    time: Time,
    records: &[T],
    n: usize,
) -> Result<(), io::Error> {
    const RULE: &str = "-------------------------------------------";
    let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n");
    for record in records.iter().take(n) {
        record.write_text(&mut text);
        text.push('\n');
    }
    if records.len() > n {
        text.push_str("...\n");
    }
    text.push('\n');
    out.write_all(text.as_bytes())?;
    out.flush()
}
