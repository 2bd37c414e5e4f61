// SPDX-License-Identifier: Apache-2.0
// Workloads over lines of text.

import java.util.Arrays;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;

final class Text {
    private static final String PATTERN = "w00123";

    static Report grep(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        JavaDStream<String> lines = engine.lines(arguments, Lines.LINES);
        lines.filter(line -> line.contains(PATTERN))
                .foreachRDD((rdd, time) -> Outcome.add(Engine.number(time), rdd.count(), 0));
        return Report.measure(arguments, Lines.records(arguments, Lines.LINES), engine::run);
    }

    static Report wordCount(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        counts(engine.lines(arguments, Lines.LINES))
                .foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.collect()));
        return Report.measure(arguments, Lines.records(arguments, Lines.LINES), engine::run);
    }

    static JavaPairDStream<String, Long> counts(JavaDStream<String> lines) {
        return ones(lines).reduceByKey(Long::sum);
    }

    static JavaPairDStream<String, Long> ones(JavaDStream<String> lines) {
        return lines.flatMap(line -> Arrays.asList(line.split(" ")).iterator())
                .mapToPair(word -> new Tuple2<>(word, 1L));
    }

    private Text() {}
}
