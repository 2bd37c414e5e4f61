// SPDX-License-Identifier: Apache-2.0
// Runs one workload on Spark Streaming, once, and prints a line of JSON.

import java.util.Map;

public final class Bench {
    /** What runs a workload. */
    interface Run {
        Report run(Arguments arguments) throws Exception;
    }

    private static final Map<String, Run> WORKLOADS = Map.ofEntries(
            Map.entry("grep", Text::grep),
            Map.entry("word-count", Text::wordCount),
            Map.entry("top-words", TopWords::run),
            Map.entry("update-state-10k", States::update),
            Map.entry("update-state-1m", States::update),
            Map.entry("map-with-state-10k", States::map),
            Map.entry("map-with-state-1m", States::map),
            Map.entry("map-with-state-1m-durable", States::map),
            Map.entry("window-join", WindowJoin::run),
            Map.entry("socket-count", Socket::count),
            Map.entry("socket-word-count", Socket::countWords),
            Map.entry("latency", Socket::countWords),
            Map.entry("files-count", Directory::run),
            Map.entry("yahoo", Yahoo::parsed),
            Map.entry("yahoo-json", Yahoo::json),
            Map.entry("nexmark-q0", Nexmark::pass),
            Map.entry("nexmark-q1", Nexmark::convert),
            Map.entry("nexmark-q2", Nexmark::select),
            Map.entry("nexmark-q3", Nexmark::localItems),
            Map.entry("nexmark-q4", Nexmark::categoryAverages),
            Map.entry("nexmark-q5", Nexmark::hotItem),
            Map.entry("nexmark-q6", Nexmark::sellerAverages),
            Map.entry("nexmark-q7", Nexmark::highestBid),
            Map.entry("nexmark-q8", Nexmark::newSellers),
            Map.entry("empty-batches", Small::empty),
            Map.entry("start", Small::start));

    public static void main(String[] given) throws Exception {
        Arguments arguments = new Arguments(given);
        Run workload = WORKLOADS.get(arguments.workload);
        if (workload == null) {
            throw new IllegalArgumentException("there is no " + arguments.workload + " for Spark");
        }
        System.out.println(workload.run(arguments).toJson());
        // Threads of Spark would keep the process alive.
        System.exit(0);
    }

    private Bench() {}
}
