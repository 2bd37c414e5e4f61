// SPDX-License-Identifier: Apache-2.0
//! Tables of how pages show lengths and times.

use dstreams::monitor::format::{Unit, batch_time};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::units::{PASSED, Row, Stateless};

/// The function of a table, by its columns: these tables have no other name.
pub(super) fn function(columns: &[String]) -> Option<Stateless> {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    Some(match columns[..] {
        ["unit", "text"] => |row| Ok(json!(unit(row.text("unit")?)?.name())),
        ["ms", "value", "unit"] => normalized,
        ["ms", "unit", "value"] => |row| Ok(json!(unit(row.text("unit")?)?.measure(row.duration("ms")?))),
        ["batch_time_ms", "batch_interval_ms", "with_date", "text"] => shown,
        _ => return None,
    })
}

fn unit(name: &str) -> Result<Unit, String> {
    Ok(match name {
        "NANOSECONDS" => Unit::Nanoseconds,
        "MICROSECONDS" => Unit::Microseconds,
        "MILLISECONDS" => Unit::Milliseconds,
        "SECONDS" => Unit::Seconds,
        "MINUTES" => Unit::Minutes,
        "HOURS" => Unit::Hours,
        "DAYS" => Unit::Days,
        _ => return Err(format!("unknown unit {name}")),
    })
}

/// Two columns are results.
fn normalized(row: &Row<'_>) -> Result<Json, String> {
    let length = row.duration("ms")?;
    let (expected, wanted) = (unit(row.text("unit")?)?, row.float("value")?);
    let found = Unit::of(length);
    #[expect(clippy::float_cmp, reason = "the values of the table are exact")]
    if found == expected && found.measure(length) == wanted {
        Ok(json!(PASSED))
    } else {
        Err(format!("{length}: expected {wanted} {expected:?}, got {} {found:?}", found.measure(length)))
    }
}

fn shown(row: &Row<'_>) -> Result<Json, String> {
    // The rules of Los Angeles, so that the machine need not know the place.
    let zone = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").map_err(|error| error.to_string())?;
    let with_date = row.cell("with_date")?.as_bool().ok_or("with_date is not true or false")?;
    let interval = row.duration("batch_interval_ms")?;
    Ok(json!(batch_time(row.time("batch_time_ms")?, interval, with_date, &zone)))
}
