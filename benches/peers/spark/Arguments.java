// SPDX-License-Identifier: Apache-2.0
// The arguments of a benchmark program, as the programs in Rust have them.

import java.nio.file.Path;
import java.util.List;

final class Arguments {
    final String workload;
    final int threads;
    Path data = Path.of("target/bench/data");
    Path scratch = Path.of("/tmp");
    Path disk = Path.of("/tmp");
    String feeder = "";
    double scale = 1;
    int warm = 2;
    int batches = 5;
    long rate = 0;
    long interval = 100;
    long spawned = 0;

    Arguments(String[] given) {
        workload = given[0];
        threads = Integer.parseInt(given[1].replaceAll("[^0-9]", ""));
        for (int at = 2; at < given.length; at += 2) {
            String value = given[at + 1];
            switch (given[at]) {
                case "--data" -> data = Path.of(value);
                case "--scratch" -> scratch = Path.of(value);
                case "--disk" -> disk = Path.of(value);
                case "--feeder" -> feeder = value;
                case "--scale" -> scale = Double.parseDouble(value);
                case "--warm" -> warm = Integer.parseInt(value);
                case "--batches" -> batches = Integer.parseInt(value);
                case "--rate" -> rate = Long.parseLong(value);
                case "--interval" -> interval = Long.parseLong(value);
                case "--spawned" -> spawned = Long.parseLong(value);
                default -> throw new IllegalArgumentException("there is no option " + given[at]);
            }
        }
    }

    int scaled(int full) {
        return (int) Math.max(Math.round(full * scale), 10);
    }

    int total() {
        return warm + batches + 1;
    }

    /** How many lines are sent to a socket in all. */
    long fed() {
        if (rate > 0) {
            return (rate + 999) / 1000 * 1000 * total();
        }
        return (scaled(Lines.LINES) + 999L) / 1000 * 1000 * total();
    }

    List<String> feederCommand() {
        return List.of(
                feeder, "feed", "spark", "--data", data.toString(), "--scale", Double.toString(scale),
                "--warm", Integer.toString(warm), "--batches", Integer.toString(batches),
                "--rate", Long.toString(rate));
    }

    int last() {
        return total() - 1;
    }
}
