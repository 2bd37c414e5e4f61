// SPDX-License-Identifier: Apache-2.0
// What a run has given, as the same checksum that the programs in Rust make.

import java.nio.charset.StandardCharsets;
import java.util.TreeMap;
import scala.Tuple2;

/** Collects results. Static, because what outputs refer to would otherwise be written into checkpoints. */
final class Outcome {
    private record Tally(long results, long sum, long digest) {}

    private static final TreeMap<Integer, Tally> BATCHES = new TreeMap<>();
    private static int first;
    private static int last;

    static void expect(Arguments arguments) {
        expect(arguments.warm, arguments.last());
    }

    /** Batches from the first to the last of these count. */
    static synchronized void expect(int firstBatch, int lastBatch) {
        first = firstBatch;
        last = lastBatch;
    }

    static boolean isLast(int batch) {
        return batch == last;
    }

    static synchronized void add(int batch, long results, long sum) {
        BATCHES.put(batch, new Tally(results, sum, 0));
    }

    /** Takes the results of a batch: keys that are different from each other, with their values. */
    static synchronized <K> void take(int batch, Iterable<Tuple2<K, Long>> given) {
        long results = 0;
        long sum = 0;
        long digest = 0;
        for (Tuple2<K, Long> result : given) {
            results += 1;
            sum += result._2();
            if (batch == last) {
                digest += digest(result._1()) * (result._2() * 2 + 1);
            }
        }
        BATCHES.put(batch, new Tally(results, sum, digest));
    }

    static synchronized long checksum() {
        long checksum = 0;
        for (int batch = first; batch <= last; batch += 1) {
            Tally tally = BATCHES.get(batch);
            if (tally == null) {
                throw new IllegalStateException("batch " + batch + " has no results");
            }
            checksum = mix(checksum ^ tally.results);
            checksum = mix(checksum ^ tally.sum);
            checksum = mix(checksum ^ tally.digest);
        }
        return checksum;
    }

    static long digest(Object key) {
        if (key instanceof Long number) {
            return mix(number);
        }
        if (key instanceof Tuple2<?, ?> pair) {
            return mix(digest(pair._1())) + digest(pair._2());
        }
        long hash = 0xcbf29ce484222325L;
        for (byte one : ((String) key).getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (one & 0xff)) * 0x100000001b3L;
        }
        return hash;
    }

    static long mix(long number) {
        long bits = number + 0x9e3779b97f4a7c15L;
        bits = (bits ^ (bits >>> 30)) * 0xbf58476d1ce4e5b9L;
        bits = (bits ^ (bits >>> 27)) * 0x94d049bb133111ebL;
        return bits ^ (bits >>> 31);
    }

    private Outcome() {}
}
