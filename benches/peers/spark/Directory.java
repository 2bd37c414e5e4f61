// SPDX-License-Identifier: Apache-2.0
// Lines of files that appear in a directory.

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

final class Directory {
    private static final BlockingQueue<Long> COUNTS = new LinkedBlockingQueue<>();

    static Report run(Arguments arguments) throws Exception {
        Path directory = Files.createDirectories(arguments.scratch.resolve("in"));
        Path one = arguments.scratch.resolve("lines.txt");
        int lines = arguments.scaled(Lines.LINES);
        Lines.read(arguments, Lines.LINES);
        Files.writeString(one, String.join("\n", Lines.first(lines)));
        Engine engine = Engine.inRealTime(arguments);
        engine.context.textFileStream(directory.toString()).count().foreachRDD(rdd -> {
            long count = 0;
            for (long part : rdd.collect()) {
                count += part;
            }
            COUNTS.add(count);
        });
        engine.context.start();
        return Report.measure(arguments, (long) lines * arguments.batches, (from, end) -> {
            appear(directory, one, from, end);
            long wanted = (long) lines * (end - from);
            long counted = 0;
            while (counted < wanted) {
                counted += COUNTS.take();
            }
            if (counted > wanted) {
                throw new IllegalStateException(counted + " lines were counted where " + wanted + " are");
            }
            for (int number = from; number < end; number += 1) {
                Outcome.add(number, lines, 0);
            }
        });
    }

    private static void appear(Path directory, Path one, int from, int end) throws IOException {
        Files.setLastModifiedTime(one, FileTime.fromMillis(System.currentTimeMillis()));
        for (int number = from; number < end; number += 1) {
            Files.createLink(directory.resolve(String.format("%04d.txt", number)), one);
        }
    }

    private Directory() {}
}
