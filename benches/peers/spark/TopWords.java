// SPDX-License-Identifier: Apache-2.0
// The ten most frequent words of the last 30 batches, each window made from the one before.

import java.io.Serializable;
import java.util.Comparator;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;

final class TopWords {
    private static final int LINES = 20_000;
    private static final int WINDOW = 30;

    static Report run(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        engine.checkpoint(arguments.scratch);
        JavaPairDStream<String, Long> totals = Text.ones(engine.lines(arguments, LINES))
                .reduceByKeyAndWindow(
                        Long::sum,
                        (total, count) -> total - count,
                        Durations.seconds(WINDOW),
                        Durations.seconds(1),
                        arguments.threads,
                        total -> total._2() > 0);
        totals.foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.top(10, new MostFrequent())));
        return Report.measure(arguments, Lines.records(arguments, LINES), engine::run);
    }

    /** Of words that are as frequent the first in the alphabet comes first. */
    private static final class MostFrequent implements Comparator<Tuple2<String, Long>>, Serializable {
        @Override
        public int compare(Tuple2<String, Long> a, Tuple2<String, Long> b) {
            int byTotal = Long.compare(a._2(), b._2());
            return byTotal != 0 ? byTotal : b._1().compareTo(a._1());
        }
    }

    private TopWords() {}
}
