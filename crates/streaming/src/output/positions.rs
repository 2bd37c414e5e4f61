// SPDX-License-Identifier: Apache-2.0
//! What a batch was made of, as text that sinks keep with its records.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    input::{Batch, InputInfo},
    time::Time,
};

impl Batch {
    pub(crate) fn empty(time: Time) -> Self {
        Self { time, inputs: BTreeMap::new() }
    }

    /// What the batch was made of, for people and for programs that look into a sink: a JSON object with an entry for
    /// each input stream, its records and what its source tells of it.
    ///
    /// ```
    /// use dstreams_streaming::{Batch, BatchInput, InputInfo, StreamId, Time};
    /// let mut info = InputInfo::of_records(3);
    /// info.metadata.insert("files".to_owned(), "/in/a.txt".to_owned());
    /// let inputs = [(StreamId(0), BatchInput { info, plan: Vec::new() })].into();
    /// let batch = Batch { time: Time::from_millis(1000), inputs };
    /// assert_eq!(batch.positions(), r#"{"0":{"records":3,"files":"/in/a.txt"}}"#);
    /// ```
    pub fn positions(&self) -> String {
        let mut text = String::from("{");
        for (stream, input) in &self.inputs {
            separate(&mut text);
            // Writing to a string cannot fail, here and below.
            let _written = write!(text, "\"{stream}\":{{\"records\":{}", input.info.records);
            for (name, value) in input.info.metadata.iter().filter(|(name, _)| InputInfo::is_position(name)) {
                separate(&mut text);
                push_string(&mut text, name);
                text.push(':');
                push_string(&mut text, value);
            }
            text.push('}');
        }
        text.push('}');
        text
    }
}

fn separate(text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
}

fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            '\n' => text.push_str("\\n"),
            char if char < ' ' => {
                let _written = write!(text, "\\u{:04x}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text.push('"');
}
