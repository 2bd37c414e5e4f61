// SPDX-License-Identifier: Apache-2.0
// The Yahoo streaming benchmark: views of advertisements per campaign and ten seconds of their own time.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Serializable;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import scala.Tuple2;

final class Yahoo {
    private static final int EVENTS = 50_000;
    private static final int DISTINCT = 5;
    private static final long WINDOW = 10_000;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** An event that has been parsed. */
    record Event(String ad, String type, long time) implements Serializable {}

    private static final List<List<String>> LINES = new ArrayList<>();
    private static final List<List<Event>> PARSED = new ArrayList<>();

    private static Event parse(String line) throws Exception {
        JsonNode event = MAPPER.readTree(line);
        return new Event(
                event.get("ad_id").textValue(),
                event.get("event_type").textValue(),
                event.get("event_time").longValue());
    }

    private static void read(Arguments arguments) throws Exception {
        int size = arguments.scaled(EVENTS);
        List<String> lines = Files.readAllLines(arguments.data.resolve("yahoo-" + size * DISTINCT + ".json"));
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            LINES.add(lines.subList(batch * size, (batch + 1) * size));
        }
    }

    private static Broadcast<Map<String, Long>> campaigns(Engine engine) {
        Map<String, Long> campaigns = new HashMap<>();
        for (long ad = 0; ad < 1000; ad += 1) {
            campaigns.put(String.format("%016x%016x", Outcome.mix(ad), Outcome.mix(ad + 1_000_000)), ad / 10);
        }
        return engine.context.sparkContext().broadcast(campaigns);
    }

    static Report parsed(Arguments arguments) throws Exception {
        read(arguments);
        for (List<String> lines : LINES) {
            List<Event> events = new ArrayList<>();
            for (String line : lines) {
                events.add(parse(line));
            }
            PARSED.add(events);
        }
        Engine engine = new Engine(arguments);
        List<JavaRDD<Event>> datasets = new ArrayList<>();
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            datasets.add(engine.dataset(batch, (number, part, parts) -> Engine.part(PARSED.get(number), part, parts)));
        }
        Broadcast<Map<String, Long>> campaigns = campaigns(engine);
        count(engine.stream(datasets)
                .filter(event -> event.type.equals("view"))
                .flatMapToPair(event -> view(campaigns.value(), event)));
        return Report.measure(arguments, (long) arguments.scaled(EVENTS) * arguments.batches, engine::run);
    }

    static Report json(Arguments arguments) throws Exception {
        read(arguments);
        Engine engine = new Engine(arguments);
        List<JavaRDD<String>> datasets = new ArrayList<>();
        for (int batch = 0; batch < DISTINCT; batch += 1) {
            datasets.add(engine.dataset(batch, (number, part, parts) -> Engine.part(LINES.get(number), part, parts)));
        }
        Broadcast<Map<String, Long>> campaigns = campaigns(engine);
        count(engine.stream(datasets)
                .map(Yahoo::parse)
                .filter(event -> event.type.equals("view"))
                .flatMapToPair(event -> view(campaigns.value(), event)));
        return Report.measure(arguments, (long) arguments.scaled(EVENTS) * arguments.batches, engine::run);
    }

    private static java.util.Iterator<Tuple2<Tuple2<Long, Long>, Long>> view(Map<String, Long> campaigns, Event event) {
        Long campaign = campaigns.get(event.ad);
        if (campaign == null) {
            return Collections.emptyIterator();
        }
        return List.of(new Tuple2<>(new Tuple2<>(campaign, event.time / WINDOW), 1L)).iterator();
    }

    private static void count(JavaPairDStream<Tuple2<Long, Long>, Long> views) {
        views.reduceByKey(Long::sum)
                .foreachRDD((rdd, time) -> Outcome.take(Engine.number(time), rdd.collect()));
    }

    private Yahoo() {}
}
