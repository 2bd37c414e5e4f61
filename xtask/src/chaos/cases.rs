// SPDX-License-Identifier: Apache-2.0
//! Cases with a name: what goes wrong around a program that is not killed.

use super::Arena;
use crate::Result;

pub(super) fn run(_: &Arena, _: &str, _: bool) -> Result<()> {
    Ok(())
}
