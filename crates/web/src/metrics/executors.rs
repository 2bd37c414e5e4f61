// SPDX-License-Identifier: Apache-2.0
//! The numbers of executors as the original serves them to Prometheus. There is one executor: the program.

use std::fmt::Write as _;

use dstreams_monitor::Totals;

use crate::ui::App;

/// A line for each number that there is.
pub(super) fn text(app: &App) -> String {
    let (application, totals, unfinished) =
        app.monitor.read(|store| (store.application().clone(), store.totals(), store.unfinished_tasks()));
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(text, "spark_info{{version={:?}, revision=\"\"}} 1.0", application.version);
    let mut put = |name: &str, value: f64| {
        let _ = writeln!(
            text,
            "metrics_executor_{name}{{application_id=\"{}\", application_name=\"{}\", executor_id=\"driver\"}} {value}",
            escaped(&application.id),
            escaped(&application.name)
        );
    };
    // Those of the jobs that run, but no more than there are threads.
    let active = app.engine.as_ref().map_or(0, |engine| unfinished.min(engine.options().threads)) as u64;
    if let Some(engine) = &app.engine {
        let threads = engine.options().threads;
        put("memoryUsed_bytes", engine.memory().used() as f64);
        put("diskUsed_bytes", engine.disk().bytes_on_disk() as f64);
        put("totalCores", threads as f64);
        put("maxTasks", threads as f64);
        put("activeTasks", active as f64);
        put("maxMemory_bytes", engine.memory().limit() as f64);
    }
    let Totals { failed_tasks, completed_tasks, task_micros, .. } = totals;
    put("failedTasks_total", failed_tasks as f64);
    put("completedTasks_total", completed_tasks as f64);
    put("totalTasks_total", (active + failed_tasks + completed_tasks) as f64);
    put("totalDuration_seconds_total", task_micros as f64 / 1e6);
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
