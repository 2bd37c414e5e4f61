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
            Map.entry("word-count", Text::wordCount));

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
