// SPDX-License-Identifier: Apache-2.0
// The lines of the input file, in the memory of the process.

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;

final class Lines {
    static final int DISTINCT = 5;
    static final int LINES = 100_000;
    private static String[] lines;
    private static int size;

    static void read(Arguments arguments) {
        size = arguments.scaled(LINES);
        Path file = arguments.data.resolve("lines-" + size * DISTINCT + ".txt");
        try {
            lines = Files.readAllLines(file).toArray(new String[0]);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static long records(Arguments arguments) {
        return (long) arguments.scaled(LINES) * arguments.batches;
    }

    static Iterator<String> share(int batch, int part, int parts) {
        int from = batch * size + (int) ((long) size * part / parts);
        int end = batch * size + (int) ((long) size * (part + 1) / parts);
        return Arrays.asList(lines).subList(from, end).iterator();
    }

    private Lines() {}
}
