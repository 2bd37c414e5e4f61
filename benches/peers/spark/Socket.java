// SPDX-License-Identifier: Apache-2.0
// Lines from a socket: counted, their words counted, and how long that takes from their arrival on.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaReceiverInputDStream;
import scala.Tuple2;

final class Socket {
    /** How many lines were due at a time, or with a time of 0 at any. */
    private record Out(long at, List<long[]> stamps) {}

    private static final BlockingQueue<Out> BATCHES = new LinkedBlockingQueue<>();

    static Report count(Arguments arguments) throws Exception {
        Engine engine = Engine.inRealTime(arguments);
        return run(engine, arguments, lines -> lines.count().foreachRDD(rdd -> {
            long count = 0;
            for (long part : rdd.collect()) {
                count += part;
            }
            BATCHES.add(new Out(Report.now(), List.of(new long[] {0, count})));
        }));
    }

    static Report countWords(Arguments arguments) throws Exception {
        Engine engine = Engine.inRealTime(arguments);
        return run(engine, arguments, lines -> Text.counts(lines).foreachRDD(rdd -> {
            List<Tuple2<String, Long>> counts = rdd.collect();
            long at = Report.now();
            List<long[]> stamps = new ArrayList<>();
            for (Tuple2<String, Long> count : counts) {
                if (count._1().startsWith("@")) {
                    stamps.add(new long[] {Long.parseLong(count._1().substring(1)), count._2()});
                }
            }
            BATCHES.add(new Out(at, stamps));
        }));
    }

    private interface Build {
        void build(JavaDStream<String> lines);
    }

    private static Report run(Engine engine, Arguments arguments, Build build) throws Exception {
        Process feeder = new ProcessBuilder(arguments.feederCommand()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            String address = new BufferedReader(new InputStreamReader(feeder.getInputStream())).readLine();
            String[] parts = address.split(":");
            JavaReceiverInputDStream<String> lines =
                    engine.context.socketTextStream(parts[0], Integer.parseInt(parts[1]));
            build.build(lines);
            engine.context.start();
            return measure(arguments);
        } finally {
            feeder.destroyForcibly();
        }
    }

    /** As the programs in Rust do it. */
    private static Report measure(Arguments arguments) throws Exception {
        long expected = arguments.fed();
        long warm = expected * arguments.warm / arguments.total();
        long lines = 0;
        long firstDue = Long.MAX_VALUE;
        long begun = -1;
        long begunAt = 0;
        long ended = 0;
        double cpu = 0;
        List<long[]> latencies = new ArrayList<>();
        while (lines < expected) {
            Out out = BATCHES.take();
            for (long[] stamp : out.stamps) {
                firstDue = Math.min(firstDue, stamp[0]);
                if (arguments.rate > 0 && stamp[0] >= firstDue + arguments.warm * 1_000_000_000L) {
                    latencies.add(new long[] {out.at - stamp[0], stamp[1]});
                }
                lines += stamp[1];
            }
            if (begun < 0 && lines >= warm) {
                begun = lines;
                begunAt = out.at;
                cpu = Report.cpuSeconds();
            }
            ended = out.at;
        }
        if (lines != expected) {
            throw new IllegalStateException(lines + " lines came out of " + expected);
        }
        Report report = Report.of(
                lines - begun, (ended - begunAt) / 1e9, Report.cpuSeconds() - cpu, Outcome.mix(lines));
        if (latencies.isEmpty()) {
            return report;
        }
        latencies.sort(Comparator.comparingLong(latency -> latency[0]));
        long all = latencies.stream().mapToLong(latency -> latency[1]).sum();
        return report.with("p50_ms", at(latencies, all * 50 / 100))
                .with("p99_ms", at(latencies, all * 99 / 100))
                .with("max_ms", at(latencies, all));
    }

    private static double at(List<long[]> latencies, long place) {
        long left = place;
        for (long[] latency : latencies) {
            left -= latency[1];
            if (left <= 0) {
                return latency[0] / 1e6;
            }
        }
        return 0;
    }

    private Socket() {}
}
