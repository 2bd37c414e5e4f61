// SPDX-License-Identifier: Apache-2.0
// The measured part of a run, and the line of JSON that tells of it.

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

final class Report {
    /** Runs the batches from the first number to before the second. */
    interface Batches {
        void run(int from, int end) throws Exception;
    }

    private final Map<String, Object> figures = new LinkedHashMap<>();

    Report with(String name, Object value) {
        figures.put(name, value);
        return this;
    }

    /** Runs the batches before the measured ones, those, and the last one. The input has to be in memory. */
    static Report measure(Arguments arguments, long records, Batches batches) throws Exception {
        // What reading the input has left behind is no part of the run.
        System.gc();
        long before = memory("VmRSS:");
        Files.writeString(Path.of("/proc/self/clear_refs"), "5");
        batches.run(0, arguments.warm);
        double cpu = cpuSeconds();
        long start = System.nanoTime();
        batches.run(arguments.warm, arguments.last());
        double seconds = (System.nanoTime() - start) / 1e9;
        cpu = cpuSeconds() - cpu;
        long peak = memory("VmHWM:");
        batches.run(arguments.last(), arguments.total());
        return of(records, seconds, cpu, before, peak, Outcome.checksum());
    }

    /** Where input is not told from the rest. */
    static Report of(long records, double seconds, double cpu, long checksum) throws IOException {
        return of(records, seconds, cpu, 0, memory("VmHWM:"), checksum);
    }

    private static Report of(long records, double seconds, double cpu, long before, long peak, long checksum) {
        return new Report()
                .with("records", records)
                .with("seconds", seconds)
                .with("cpu_seconds", cpu)
                .with("memory_before", before)
                .with("memory_peak", peak)
                .with("checksum", String.format("%016x", checksum));
    }

    /** Nanoseconds since 1970. */
    static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    static long memory(String name) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith(name)) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        return 0;
    }

    static double cpuSeconds() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    String toJson() {
        StringBuilder line = new StringBuilder("{");
        for (Map.Entry<String, Object> figure : figures.entrySet()) {
            if (line.length() > 1) {
                line.append(',');
            }
            Object value = figure.getValue() instanceof String text ? '"' + text + '"' : figure.getValue();
            line.append('"').append(figure.getKey()).append("\":").append(value);
        }
        return line.append('}').toString();
    }
}
