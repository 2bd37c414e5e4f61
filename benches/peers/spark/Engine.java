// SPDX-License-Identifier: Apache-2.0
// A streaming context whose input is in memory, and whose batches follow each other as fast as they are processed.

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.Time;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.dstream.InputDStream;
import org.apache.spark.streaming.scheduler.StreamingListener;
import org.apache.spark.streaming.scheduler.StreamingListenerBatchCompleted;
import org.apache.spark.util.ManualClock;
import scala.Option;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

final class Engine {
    final JavaStreamingContext context;
    final int threads;
    private final Completed completed = new Completed();
    private boolean started;

    /** A context on a manual clock, with a batch every second of it. */
    Engine(Arguments arguments) {
        this(arguments, 1000, conf(arguments).set("spark.streaming.clock", "org.apache.spark.util.ManualClock"));
    }

    /** A context in real time. */
    static Engine inRealTime(Arguments arguments) {
        // A block is at most half as long as a batch, so that received data does not wait for more than that.
        long block = Math.max(1, Math.min(200, arguments.interval / 2));
        return new Engine(arguments, arguments.interval, conf(arguments).set("spark.streaming.blockInterval", block + "ms"));
    }

    private Engine(Arguments arguments, long interval, SparkConf conf) {
        threads = arguments.threads;
        context = new JavaStreamingContext(conf, new Duration(interval));
        context.sparkContext().setLogLevel("ERROR");
        context.ssc().addStreamingListener(completed);
        Outcome.expect(arguments);
    }

    private static SparkConf conf(Arguments arguments) {
        return new SparkConf()
                .setMaster("local[" + arguments.threads + "]")
                .setAppName("bench")
                .set("spark.ui.enabled", "false")
                .set("spark.driver.host", "127.0.0.1")
                .set("spark.driver.bindAddress", "127.0.0.1")
                .set("spark.default.parallelism", Integer.toString(arguments.threads))
                .set("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
                // Nothing leaves the machine.
                .set("spark.shuffle.compress", "false")
                .set("spark.shuffle.spill.compress", "false")
                .set("spark.broadcast.compress", "false")
                .set("spark.local.dir", arguments.scratch.toString());
    }

    void checkpoint(Path directory) {
        context.checkpoint(directory.resolve("checkpoints").toUri().toString());
    }

    /** A stream whose batch n is dataset n; after the last one the first follows again. */
    <T> JavaDStream<T> stream(List<JavaRDD<T>> datasets) {
        return streamAfter(List.of(), datasets);
    }

    /** As stream, after some datasets that come only once. */
    <T> JavaDStream<T> streamAfter(List<JavaRDD<T>> first, List<JavaRDD<T>> then) {
        ClassTag<T> tag = ClassTag$.MODULE$.apply(Object.class);
        return new JavaDStream<>(new Prepared<>(this, first, then, tag), tag);
    }

    /** The records that belong to one of the partitions. */
    static <T> Iterator<T> part(List<T> records, int part, int parts) {
        int from = (int) ((long) records.size() * part / parts);
        int end = (int) ((long) records.size() * (part + 1) / parts);
        return records.subList(from, end).iterator();
    }

    /**
     * A dataset with a partition for each thread, which reads its share of the records from where they are. Spark's
     * parallelize would send them with each task.
     */
    <T> JavaRDD<T> dataset(int batch, Shared<T> records) {
        int parts = threads;
        List<Integer> numbers = IntStream.range(0, parts).boxed().toList();
        return context.sparkContext().parallelize(numbers, parts).flatMap(part -> records.share(batch, part, parts));
    }

    /** The lines of the input file, in batches of so many lines in the full run. */
    JavaDStream<String> lines(Arguments arguments, int size) {
        Lines.read(arguments, size);
        List<JavaRDD<String>> datasets = new ArrayList<>();
        for (int batch = 0; batch < Lines.distinct(); batch += 1) {
            datasets.add(dataset(batch, Lines::share));
        }
        return stream(datasets);
    }

    /** Records that tasks find in the memory of the process. */
    interface Shared<T> extends java.io.Serializable {
        Iterator<T> share(int batch, int part, int parts);
    }

    /** Runs these batches, all of which are due at once. */
    void run(int from, int end) throws Exception {
        if (!started) {
            context.start();
            started = true;
        }
        ((ManualClock) context.ssc().scheduler().clock()).advance((end - from) * 1000L);
        await(end);
    }

    /** Waits until so many batches have completed since the start. */
    void await(int batches) throws Exception {
        while (!completed.await(batches, 100)) {
            // Throws what has failed.
            context.awaitTerminationOrTimeout(1);
        }
    }

    /** The number of a batch, from 0. */
    static int number(Time time) {
        return (int) (time.milliseconds() / 1000 - 1);
    }

    private static final class Completed implements StreamingListener {
        private int batches;

        @Override
        public synchronized void onBatchCompleted(StreamingListenerBatchCompleted completed) {
            batches += 1;
            notifyAll();
        }

        synchronized boolean await(int wanted, long milliseconds) throws InterruptedException {
            if (batches < wanted) {
                wait(milliseconds);
            }
            return batches >= wanted;
        }
    }

    private static final class Prepared<T> extends InputDStream<T> {
        private final transient List<JavaRDD<T>> first;
        private final transient List<JavaRDD<T>> then;

        Prepared(Engine engine, List<JavaRDD<T>> first, List<JavaRDD<T>> then, ClassTag<T> tag) {
            super(engine.context.ssc(), tag);
            this.first = first;
            this.then = then;
        }

        @Override
        public void start() {}

        @Override
        public void stop() {}

        @Override
        public Option<RDD<T>> compute(Time time) {
            int number = number(time);
            JavaRDD<T> dataset =
                    number < first.size() ? first.get(number) : then.get((number - first.size()) % then.size());
            return Option.apply(dataset.rdd());
        }
    }
}
