// SPDX-License-Identifier: Apache-2.0
// Two streams joined over a window of ten batches.

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;

final class WindowJoin {
    private static final int RECORDS = 10_000;
    private static final int WINDOW = 10;
    private static final int DISTINCT = 20;
    private static final int BACK = 4;

    private static final List<List<Tuple2<Long, Long>>> IMPRESSIONS = new ArrayList<>();
    private static final List<List<Tuple2<Long, Long>>> CLICKS = new ArrayList<>();

    static Report run(Arguments arguments) throws Exception {
        long size = arguments.scaled(RECORDS);
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            List<Tuple2<Long, Long>> impressions = new ArrayList<>();
            List<Tuple2<Long, Long>> clicks = new ArrayList<>();
            for (long place = 0; place < size; place += 1) {
                long id = batch * size + place;
                impressions.add(new Tuple2<>(id, Long.remainderUnsigned(Outcome.mix(id), 1000)));
                long random = Outcome.mix(id);
                long shown = (batch + DISTINCT - Long.remainderUnsigned(random, BACK + 1)) % DISTINCT;
                clicks.add(new Tuple2<>(shown * size + (random >>> 8) % size, place));
            }
            IMPRESSIONS.add(impressions);
            CLICKS.add(clicks);
        }
        Engine engine = new Engine(arguments);
        Duration window = Durations.seconds(WINDOW);
        JavaPairDStream<Long, Long> impressions =
                stream(engine, (batch, part, parts) -> Engine.part(IMPRESSIONS.get(batch), part, parts));
        JavaPairDStream<Long, Long> clicks =
                stream(engine, (batch, part, parts) -> Engine.part(CLICKS.get(batch), part, parts));
        impressions.window(window).join(clicks.window(window)).foreachRDD((rdd, time) -> {
            List<Tuple2<Tuple2<Long, Long>, Long>> joined = new ArrayList<>();
            for (Tuple2<Long, Tuple2<Long, Long>> found : rdd.collect()) {
                joined.add(new Tuple2<>(new Tuple2<>(found._1(), found._2()._2()), found._2()._1()));
            }
            Outcome.take(Engine.number(time), joined);
        });
        return Report.measure(arguments, 2 * size * arguments.batches, engine::run);
    }

    private static JavaPairDStream<Long, Long> stream(Engine engine, Engine.Shared<Tuple2<Long, Long>> records) {
        List<JavaRDD<Tuple2<Long, Long>>> datasets = new ArrayList<>();
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            datasets.add(engine.dataset(batch, records));
        }
        return JavaPairDStream.fromJavaDStream(engine.stream(datasets));
    }

    private WindowJoin() {}
}
