// SPDX-License-Identifier: Apache-2.0
// The lines of the input file, in the memory of the process.

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

final class Lines {
    private static final int DISTINCT = 5;
    static final int LINES = 100_000;
    private static String[] lines;
    private static int size;

    static void read(Arguments arguments, int fullSize) {
        size = arguments.scaled(fullSize);
        Path file = arguments.data.resolve("lines-" + arguments.scaled(LINES) * DISTINCT + ".txt");
        try {
            lines = Files.readAllLines(file).toArray(new String[0]);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** How many batches have lines of their own. */
    static int distinct() {
        return lines.length / size;
    }

    static List<String> first(int count) {
        return Arrays.asList(lines).subList(0, count);
    }

    static long records(Arguments arguments, int fullSize) {
        return (long) arguments.scaled(fullSize) * arguments.batches;
    }

    static Iterator<String> share(int batch, int part, int parts) {
        return Engine.part(Arrays.asList(lines).subList(batch * size, (batch + 1) * size), part, parts);
    }

    private Lines() {}
}
