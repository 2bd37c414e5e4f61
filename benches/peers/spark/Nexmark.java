// SPDX-License-Identifier: Apache-2.0
// NEXMark, queries 0 to 8, as the streams in Rust have them.

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.Optional;
import org.apache.spark.api.java.function.Function3;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.State;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.Time;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;
import scala.Tuple3;

final class Nexmark {
    private static final int WINDOW = 5;
    private static final int SALES = 10;

    private interface Build {
        void build(JavaDStream<Events.Event> events);
    }

    private static Report query(Arguments arguments, Build build) throws Exception {
        Events.read(arguments);
        Engine engine = new Engine(arguments);
        engine.checkpoint(arguments.scratch);
        List<JavaRDD<Events.Event>> datasets = new ArrayList<>();
        for (int batch = 0; batch < arguments.total(); batch += 1) {
            datasets.add(engine.dataset(batch, Events::share));
        }
        JavaDStream<Events.Event> events = engine.stream(datasets);
        build.build(events);
        // Batches without any output would not complete; those between two windows have none.
        events.foreachRDD(rdd -> {});
        return Report.measure(arguments, (long) Events.size * arguments.batches, (from, end) -> {
            for (int number = from; number < end; number += 1) {
                Outcome.add(number, 0, 0);
            }
            engine.run(from, end);
        });
    }

    /** Puts out how many results a batch has and their sum; of the last batch each of them. */
    private static <K> void putOut(JavaPairDStream<K, Long> stream) {
        stream.foreachRDD((rdd, time) -> putOut(rdd, time));
    }

    private static <K> void putOut(JavaPairRDD<K, Long> rdd, Time time) {
        int number = Engine.number(time);
        if (Outcome.isLast(number)) {
            Outcome.take(number, rdd.collect());
        } else {
            long[] sums = rdd.aggregate(
                    new long[2], (sum, result) -> States.add(sum, 1, result._2()), (a, b) -> States.add(a, b));
            Outcome.add(number, sums[0], sums[1]);
        }
    }

    private static <T> Iterator<T> none() {
        return Collections.emptyIterator();
    }

    private static <T> Iterator<T> one(T value) {
        return Collections.singletonList(value).iterator();
    }

    static Report pass(Arguments arguments) throws Exception {
        return query(arguments, events -> events.foreachRDD((rdd, time) -> {
            long[] sums = rdd.aggregate(
                    new long[2], (sum, event) -> States.add(sum, 1, event.time()), (a, b) -> States.add(a, b));
            Outcome.add(Engine.number(time), sums[0], sums[1]);
        }));
    }

    static Report convert(Arguments arguments) throws Exception {
        return query(arguments, events -> putOut(events.flatMapToPair(event ->
                event instanceof Events.Bid bid
                        ? one(new Tuple2<>(bid.auction(), bid.price() * 908 / 1000))
                        : Nexmark.<Tuple2<Long, Long>>none())));
    }

    static Report select(Arguments arguments) throws Exception {
        return query(arguments, events -> putOut(events.flatMapToPair(event ->
                        event instanceof Events.Bid bid
                                ? one(new Tuple2<>(bid.auction(), bid.price()))
                                : Nexmark.<Tuple2<Long, Long>>none())
                .filter(bid -> bid._1() % 123 == 0)));
    }

    /** A person of the states that are asked for, and auctions that came before their seller. */
    private static final class Seller implements java.io.Serializable {
        String name;
        final ArrayList<Long> waiting = new ArrayList<>();
    }

    static Report localItems(Arguments arguments) throws Exception {
        Function3<Long, Optional<Object>, State<Seller>, List<Tuple2<Long, Long>>> meet = (id, local, state) -> {
            Seller seller = state.exists() ? state.get() : new Seller();
            List<Tuple2<Long, Long>> found = new ArrayList<>();
            if (local.get() instanceof String name) {
                for (long auction : seller.waiting) {
                    found.add(new Tuple2<>(auction, Outcome.digest(name)));
                }
                seller.waiting.clear();
                seller.name = name;
            } else if (seller.name != null) {
                found.add(new Tuple2<>((Long) local.get(), Outcome.digest(seller.name)));
            } else {
                seller.waiting.add((Long) local.get());
            }
            state.update(seller);
            return found;
        };
        return query(arguments, events -> {
            JavaPairDStream<Long, Object> local = events.flatMapToPair(event -> {
                if (event instanceof Events.Person person && Events.isLocal(person.state())) {
                    return one(new Tuple2<Long, Object>(person.id(), person.name()));
                }
                if (event instanceof Events.Auction auction && auction.category() == 10) {
                    return one(new Tuple2<Long, Object>(auction.seller(), auction.id()));
                }
                return none();
            });
            local.mapWithState(StateSpec.function(meet).numPartitions(arguments.threads))
                    .flatMapToPair(found -> found.iterator())
                    .foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.collect()));
        });
    }

    /** The auctions that are sold in each batch. */
    private static JavaPairDStream<Long, Lot> sold(Arguments arguments, JavaDStream<Events.Event> events) {
        JavaPairDStream<Long, Lot.Offer> offers = events.flatMapToPair(event -> {
            if (event instanceof Events.Auction auction) {
                return one(new Tuple2<>(auction.id(), Lot.Offer.of(auction)));
            }
            if (event instanceof Events.Bid bid) {
                return one(new Tuple2<>(bid.auction(), Lot.Offer.of(bid)));
            }
            return none();
        });
        long perBatch = Events.size;
        return offers.updateStateByKey((List<Lot.Offer> given, Optional<Lot> lot) ->
                        Lot.after(given, lot, perBatch))
                .filter(lot -> lot._2().isSold());
    }

    static Report categoryAverages(Arguments arguments) throws Exception {
        return query(arguments, events -> putOut(sold(arguments, events)
                .mapToPair(lot -> new Tuple2<>(lot._2().category, new Tuple2<>(lot._2().price, 1L)))
                .reduceByKey((a, b) -> new Tuple2<>(a._1() + b._1(), a._2() + b._2()))
                .<Tuple2<Long, Long>>updateStateByKey((news, total) -> {
                    Tuple2<Long, Long> sum = total.or(new Tuple2<>(0L, 0L));
                    for (Tuple2<Long, Long> one : news) {
                        sum = new Tuple2<>(sum._1() + one._1(), sum._2() + one._2());
                    }
                    return Optional.of(sum);
                })
                .mapValues(total -> total._1() / total._2())));
    }

    /** By the number of bids, and of auctions with as many the one with the lower number. */
    private static final class Hottest implements Comparator<Tuple2<Long, Long>>, java.io.Serializable {
        @Override
        public int compare(Tuple2<Long, Long> a, Tuple2<Long, Long> b) {
            int byTotal = Long.compare(a._2(), b._2());
            return byTotal != 0 ? byTotal : Long.compare(b._1(), a._1());
        }
    }

    static Report hotItem(Arguments arguments) throws Exception {
        return query(arguments, events -> events.flatMapToPair(event ->
                        event instanceof Events.Bid bid
                                ? one(new Tuple2<>(bid.auction(), 1L))
                                : Nexmark.<Tuple2<Long, Long>>none())
                .reduceByKeyAndWindow(
                        Long::sum,
                        (total, count) -> total - count,
                        Durations.seconds(WINDOW),
                        Durations.seconds(1),
                        arguments.threads,
                        total -> total._2() > 0)
                .foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.top(1, new Hottest()))));
    }

    static Report sellerAverages(Arguments arguments) throws Exception {
        Function3<Long, Optional<Iterable<long[]>>, State<ArrayDeque<Long>>, Tuple2<Long, Long>> average =
                (seller, given, state) -> {
                    List<long[]> sales = new ArrayList<>();
                    given.get().forEach(sales::add);
                    sales.sort(Arrays::compare);
                    ArrayDeque<Long> prices = state.exists() ? state.get() : new ArrayDeque<>();
                    for (long[] sale : sales) {
                        prices.addLast(sale[2]);
                        if (prices.size() > SALES) {
                            prices.removeFirst();
                        }
                    }
                    state.update(prices);
                    long sum = 0;
                    for (long price : prices) {
                        sum += price;
                    }
                    return new Tuple2<>(seller, sum / prices.size());
                };
        return query(arguments, events -> putOut(JavaPairDStream.fromJavaDStream(sold(arguments, events)
                .mapToPair(lot -> new Tuple2<>(
                        lot._2().seller, new long[] {lot._2().expires, lot._1(), lot._2().price}))
                .groupByKey()
                .mapWithState(StateSpec.function(average).numPartitions(arguments.threads)))));
    }

    static Report highestBid(Arguments arguments) throws Exception {
        Duration window = Durations.seconds(WINDOW);
        return query(arguments, events -> putOut(events.flatMap(event ->
                        event instanceof Events.Bid bid
                                ? one(new Tuple3<>(bid.price(), bid.auction(), bid.bidder()))
                                : Nexmark.<Tuple3<Long, Long, Long>>none())
                .reduceByWindow((a, b) -> isHigher(a, b) ? a : b, window, window)
                .mapToPair(bid -> new Tuple2<>(new Tuple2<>(bid._2(), bid._3()), bid._1()))));
    }

    private static boolean isHigher(Tuple3<Long, Long, Long> a, Tuple3<Long, Long, Long> b) {
        int order = Long.compare(a._1(), b._1());
        order = order != 0 ? order : Long.compare(a._2(), b._2());
        return (order != 0 ? order : Long.compare(a._3(), b._3())) > 0;
    }

    static Report newSellers(Arguments arguments) throws Exception {
        Duration window = Durations.seconds(WINDOW);
        return query(arguments, events -> {
            JavaPairDStream<Long, String> persons = events.flatMapToPair(event ->
                    event instanceof Events.Person person
                            ? one(new Tuple2<>(person.id(), person.name()))
                            : Nexmark.<Tuple2<Long, String>>none());
            JavaPairDStream<Long, Long> auctions = events.flatMapToPair(event ->
                    event instanceof Events.Auction auction
                            ? one(new Tuple2<>(auction.seller(), auction.id()))
                            : Nexmark.<Tuple2<Long, Long>>none());
            putOut(persons.window(window, window)
                    .join(auctions.window(window, window))
                    .mapToPair(found -> new Tuple2<>(
                            new Tuple2<>(found._1(), found._2()._2()), Outcome.digest(found._2()._1()))));
        });
    }

    private Nexmark() {}
}
