// SPDX-License-Identifier: Apache-2.0
//! Exit codes of applications: by them who has started a program tells whether to start it again.

use std::process::ExitCode;

use crate::{Error, Result};

/// The code of an application that has failed: it may run when it is started again.
pub const FAILED: u8 = 1;

/// The code of an application whose configuration or graph is wrong: it will not run when it is started again.
pub const MISCONFIGURED: u8 = 78;

/// The exit code that says how an application has ended: 0 when it was asked to stop and did, else [`FAILED`] or
/// [`MISCONFIGURED`]. After a second signal it is 128 and the number of the signal.
///
/// ```
/// fn main() -> std::process::ExitCode {
///     # return dstreams::exit::code(&Ok(()));
///     dstreams::exit::code(&dstreams::run("word-count", |ssc| {
///         ssc.socket_text_stream("localhost:9999").flat_map(|line| line.words()).count().print();
///         Ok(())
///     }))
/// }
/// ```
pub fn code(result: &Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Config(_) | Error::IllegalArgument(_)) => ExitCode::from(MISCONFIGURED),
        Err(_) => ExitCode::from(FAILED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_restart_cannot_mend_has_its_own_code() {
        let wrong = Err(Error::IllegalArgument("no output".to_owned()));
        assert_eq!(code(&Ok(())), ExitCode::SUCCESS);
        assert_eq!(code(&wrong), ExitCode::from(MISCONFIGURED));
        assert_eq!(code(&Err(Error::user("no broker"))), ExitCode::from(FAILED));
    }
}
