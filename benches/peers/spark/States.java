// SPDX-License-Identifier: Apache-2.0
// A running count per word, of which each batch touches one in a hundred.

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.Optional;
import org.apache.spark.api.java.function.Function3;
import org.apache.spark.streaming.State;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;

final class States {
    private static final int WORDS = 10_000;
    private static final int DISTINCT = 10;

    /** The words of all keys first, then the words of each distinct batch. */
    private static String[][] batches;

    static Report update(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        engine.checkpoint(arguments.scratch);
        JavaPairDStream<String, Long> counts = words(engine, arguments).updateStateByKey((ones, count) -> {
            long sum = count.or(0L);
            for (long one : ones) {
                sum += one;
            }
            return Optional.of(sum);
        });
        counts.foreachRDD((rdd, time) -> {
            int number = Engine.number(time);
            if (Outcome.isLast(number)) {
                Outcome.take(number, rdd.collect());
            } else {
                long[] sums = rdd.aggregate(new long[2], (sum, count) -> add(sum, 1, count._2()), States::add);
                Outcome.add(number, sums[0], sums[1]);
            }
        });
        return Report.measure(arguments, records(arguments), engine::run);
    }

    static Report map(Arguments arguments) throws Exception {
        Engine engine = new Engine(arguments);
        engine.checkpoint(arguments.workload.endsWith("-durable") ? arguments.disk : arguments.scratch);
        Function3<String, Optional<Long>, State<Long>, Long> count = (word, one, state) -> {
            long total = (state.exists() ? state.get() : 0L) + one.or(0L);
            state.update(total);
            return total;
        };
        words(engine, arguments)
                .mapWithState(StateSpec.function(count).numPartitions(arguments.threads))
                .foreachRDD((rdd, time) -> {
                    int number = Engine.number(time);
                    if (Outcome.isLast(number)) {
                        List<Tuple2<Long, Long>> totals = new ArrayList<>();
                        for (long total : rdd.collect()) {
                            totals.add(new Tuple2<>(total, total));
                        }
                        Outcome.take(number, totals);
                    } else {
                        long[] sums = rdd.aggregate(new long[2], (sum, total) -> add(sum, 1, total), States::add);
                        Outcome.add(number, sums[0], sums[1]);
                    }
                });
        return Report.measure(arguments, records(arguments), engine::run);
    }

    static long[] add(long[] sums, long results, long value) {
        sums[0] += results;
        sums[1] += value;
        return sums;
    }

    static long[] add(long[] sums, long[] others) {
        return add(sums, others[0], others[1]);
    }

    private static JavaPairDStream<String, Long> words(Engine engine, Arguments arguments) {
        int keys = arguments.scaled(arguments.workload.contains("10k") ? 10_000 : 1_000_000);
        int touched = Math.max(keys / 100, 1);
        batches = new String[DISTINCT + 1][];
        batches[0] = new String[keys];
        for (int key = 0; key < keys; key += 1) {
            batches[0][key] = word(key);
        }
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            String[] words = new String[arguments.scaled(WORDS)];
            for (int place = 0; place < words.length; place += 1) {
                words[place] = word((batch * 7919 + place % touched * 100) % keys);
            }
            batches[batch + 1] = words;
        }
        List<JavaRDD<String>> datasets = new ArrayList<>();
        for (int batch = 0; batch <= DISTINCT; batch += 1) {
            datasets.add(engine.dataset(batch, States::share));
        }
        return engine.streamAfter(datasets.subList(0, 1), datasets.subList(1, DISTINCT + 1))
                .mapToPair(word -> new Tuple2<>(word, 1L));
    }

    private static String word(int number) {
        return String.format("w%07d", number);
    }

    private static Iterator<String> share(int batch, int part, int parts) {
        return Engine.part(Arrays.asList(batches[batch]), part, parts);
    }

    private static long records(Arguments arguments) {
        return (long) arguments.scaled(WORDS) * arguments.batches;
    }

    private States() {}
}
