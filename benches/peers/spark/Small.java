// SPDX-License-Identifier: Apache-2.0
// What batches cost that have next to nothing in them: empty ones, and the first one of a program.

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.apache.spark.api.java.JavaRDD;
import scala.Tuple2;

final class Small {
    static Report empty(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        engine.stream(List.of(engine.dataset(0, (batch, part, parts) -> new ArrayList<Long>().iterator())))
                .mapToPair(number -> new Tuple2<>(number % 3, 1L))
                .reduceByKey(Long::sum)
                .foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.collect()));
        return Report.measure(arguments, arguments.batches, (from, end) -> {
            for (int batch = from; batch < end; batch += 1) {
                engine.run(batch, batch + 1);
            }
        });
    }

    static Report start(Arguments arguments) throws Exception {
        Engine engine = Engine.inRealTime(arguments);
        Outcome.expect(0, 0);
        Queue<JavaRDD<String>> queue = new ArrayDeque<>();
        queue.add(engine.context.sparkContext().parallelize(List.of("to be or", "not to be")));
        BlockingQueue<Long> results = new ArrayBlockingQueue<>(1);
        engine.context
                .queueStream(queue)
                .flatMap(line -> Arrays.asList(line.split(" ")).iterator())
                .mapToPair(word -> new Tuple2<>(word, 1L))
                .reduceByKey(Long::sum)
                .foreachRDD((rdd, time) -> {
                    List<Tuple2<String, Long>> counts = rdd.collect();
                    long at = Report.now();
                    if (!counts.isEmpty()) {
                        Outcome.take(0, counts);
                        results.offer(at);
                    }
                });
        engine.context.start();
        double seconds = (results.take() - arguments.spawned) / 1e9;
        return Report.of(1, seconds, 0, Outcome.checksum());
    }

    private Small() {}
}
