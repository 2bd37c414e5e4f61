// SPDX-License-Identifier: Apache-2.0
// The events of NEXMark in the memory of the process, and what becomes of an auction.

import java.io.Serializable;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

final class Events {
    private static final int EVENTS = 20_000;

    sealed interface Event extends Serializable permits Person, Auction, Bid {
        long time();
    }

    record Person(long id, String name, String email, String card, String city, String state, long time, String extra)
            implements Event {}

    record Auction(
            long id, String item, String description, long initial, long reserve, long time, long expires,
            long seller, long category, String extra)
            implements Event {}

    record Bid(long auction, long bidder, long price, String channel, String url, long time, String extra)
            implements Event {}

    static int size;
    private static final List<Event> EVENTS_READ = new ArrayList<>();

    static void read(Arguments arguments) throws Exception {
        size = arguments.scaled(EVENTS);
        int all = size * arguments.total();
        for (String line : Files.readAllLines(arguments.data.resolve("nexmark-" + all + ".tsv"))) {
            EVENTS_READ.add(parse(line.split("\t", -1)));
        }
    }

    private static Event parse(String[] f) {
        return switch (f[0]) {
            case "P" -> new Person(number(f[1]), f[2], f[3], f[4], f[5], f[6], number(f[7]), f[8]);
            case "A" -> new Auction(
                    number(f[1]), f[2], f[3], number(f[4]), number(f[5]), number(f[6]), number(f[7]),
                    number(f[8]), number(f[9]), f[10]);
            default -> new Bid(number(f[1]), number(f[2]), number(f[3]), f[4], f[5], number(f[6]), f[7]);
        };
    }

    private static long number(String text) {
        return Long.parseLong(text);
    }

    static Iterator<Event> share(int batch, int part, int parts) {
        return Engine.part(EVENTS_READ.subList(batch * size, (batch + 1) * size), part, parts);
    }

    static boolean isLocal(String state) {
        return state.equals("or") || state.equals("id") || state.equals("ca");
    }

    private Events() {}
}
