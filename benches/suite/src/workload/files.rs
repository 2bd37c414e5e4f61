// SPDX-License-Identifier: Apache-2.0
//! files → count: lines of files that appear in a directory. Time counts from the moment they are there.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::mpsc::channel,
    time::SystemTime,
};

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};

use super::Workload;
use crate::real_time;

pub(super) const WORKLOAD: Workload =
    Workload { name: "files-count", input: super::lines, by_hand: Some(by_hand), tuned: None, dstreams };

/// The directory that is watched, and one file that appears in it again and again under new names.
struct Files {
    directory: PathBuf,
    one: PathBuf,
    lines: u64,
}

impl Files {
    fn make(arguments: &Arguments) -> Result<Self> {
        let directory = arguments.scratch.join("in");
        fs::create_dir_all(&directory)?;
        let one = arguments.scratch.join("lines.txt");
        let lines = text::batches(arguments, text::LINES)?.swap_remove(0);
        let mut file = File::create(&one)?;
        file.write_all(lines.join("\n").as_bytes())?;
        Ok(Self { directory, one, lines: lines.len() as u64 })
    }

    fn appear(&self, numbers: Range<usize>) -> Result<()> {
        // Files that were modified long ago are no news.
        #[expect(clippy::disallowed_methods, reason = "a benchmark runs in real time")]
        File::options().write(true).open(&self.one)?.set_modified(SystemTime::now())?;
        for number in numbers {
            fs::hard_link(&self.one, self.path(number))?;
        }
        Ok(())
    }

    fn path(&self, number: usize) -> PathBuf {
        self.directory.join(format!("{number:04}.txt"))
    }
}

fn count(path: &Path) -> Result<u64> {
    let mut count = 0;
    for line in BufReader::new(File::open(path)?).lines() {
        line?;
        count += 1;
    }
    Ok(count)
}

fn by_hand(arguments: &Arguments) -> Result<Report> {
    let files = Files::make(arguments)?;
    let outcome = Outcome::new(arguments);
    measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        files.appear(range.clone())?;
        for number in range {
            outcome.add(number, count(&files.path(number))?, 0);
        }
        Ok(())
    })
}

fn dstreams(arguments: &Arguments) -> Result<Report> {
    let files = Files::make(arguments)?;
    let outcome = Outcome::new(arguments);
    let context = real_time::context(arguments)?;
    let (send, counts) = channel();
    context.text_file_stream(&files.directory).count().for_each_rdd(move |rdd, _| {
        let count: u64 = rdd.collect()?.iter().sum();
        // The main thread has all files that it waits for.
        let _nobody_waits = send.send(count);
        Ok(())
    });
    context.start()?;
    let report = measure(arguments, text::records(arguments, text::LINES), &outcome, |range| {
        files.appear(range.clone())?;
        let wanted = files.lines * range.len() as u64;
        let mut lines = 0;
        while lines < wanted {
            lines += counts.recv()?;
        }
        if lines > wanted {
            return Err(format!("{lines} lines were counted where {wanted} are").into());
        }
        range.for_each(|number| outcome.add(number, files.lines, 0));
        Ok(())
    })?;
    context.stop()?;
    Ok(report)
}
