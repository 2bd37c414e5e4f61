// SPDX-License-Identifier: Apache-2.0
//! The direct stream against a real broker: what it reads, where it starts, what it says of a batch.

mod support;

use dstreams_kafka::{Consumer, direct_stream};
use dstreams_streaming::{BoxError, testing::TestContext};
use support::{Broker, config, interval, value};

#[test]
fn records_that_came_since_the_batch_before_are_counted() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("records_that_came_since_the_batch_before_are_counted") else {
        return Ok(());
    };
    broker.create("counted", 2);
    broker.send("counted", 0, ["a", "b"]);
    broker.send("counted", 1, ["c"]);
    let test = TestContext::with(config(), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["counted"]), broker.params())?;
    let counts = test.collect(&stream.count());
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run(1)?;
    broker.send("counted", 1, ["d", "e"]);
    test.run(2)?;
    assert_eq!(counts.batches(), [[3], [2], [0]]);
    assert_eq!(values.batches(), [vec!["a", "b", "c"], vec!["d", "e"], vec![]]);
    Ok(())
}
