// SPDX-License-Identifier: Apache-2.0
//! Streams of results: bad records as data, split from the good ones.

use dstreams_rdd::Data;

use crate::dstream::DStream;

impl<T: Data, E: Data> DStream<Result<T, E>> {
    /// The good records.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["1", "x"]], |lines| lines.map(str::parse::<u8>).ok())?;
    /// assert_eq!(out, [[1]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn ok(&self) -> DStream<T> {
        self.lift("ok", |rdd| rdd.flat_map(Result::ok))
    }

    /// The errors of the bad records.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["1", "x"]], |lines| {
    ///     lines.map(str::parse::<u8>).err().map(|error| error.to_string())
    /// })?;
    /// assert_eq!(out, [["invalid digit found in string"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn err(&self) -> DStream<E> {
        self.lift("err", |rdd| rdd.flat_map(Result::err))
    }
}
