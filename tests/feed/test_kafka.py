"""The Kafka sink against librdkafka's own mock cluster: a real producer, a real consumer, brokers in this process."""

import json
import socket
import time
from contextlib import closing
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from mdm import kafka
from mdm.couriers import prepare
from mdm.errors import SettingsError
from mdm.kafka import SEND_KAFKA, broker, send_kafka
from mdm.running import Hand
from mdm.settings import Settings

QUIET = {"log_level": 0}


@pytest.fixture(scope="module")
def cluster():
    """host:port of a broker that lives as long as the producer that brought it up."""
    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", **QUIET})
    [found] = owner.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"
    owner.flush(5)


@pytest.fixture
def url(cluster, request, rows, clean_database):
    return f"kafka://{cluster}/{request.node.name}"


@pytest.fixture
def send(clean_database):
    """A round of the worker, and the sending of what is due."""

    def go(to):
        prepare(clean_database, to)  # the first one registers the topic
        hand = Hand(clean_database, "hand", lambda: False, {SEND_KAFKA: lambda run: send_kafka(run, to)})
        for job_id in prepare(clean_database, to):
            hand.take(job_id)

    return go


def received(url, wanted, seconds=20):
    """(key, event) of everything in the topic, partition by partition."""
    to = broker(url)
    config = {"bootstrap.servers": to.config["bootstrap.servers"], "group.id": "unused", **QUIET}
    found = []
    with closing(Consumer(config)) as reader:
        partitions = reader.list_topics(to.topic, timeout=10).topics[to.topic].partitions
        reader.assign([TopicPartition(to.topic, number, OFFSET_BEGINNING) for number in partitions])
        deadline = time.monotonic() + seconds
        while len(found) < wanted and time.monotonic() < deadline:
            message = reader.poll(0.2)
            if message is not None and message.error() is None:
                assert dict(message.headers())["content-type"] == b"application/cloudevents+json"
                found.append((message.key().decode(), json.loads(message.value())))
    return found


def test_every_event_arrives_under_the_key_of_its_golden_record_in_order(url, tell, send, rows):
    ids = tell(1, 2, 3) + tell(4, 5, domain="item") + tell(6, domain="mapping")
    send(url)
    found = received(url, 6)
    assert {event["id"] for _, event in found} == {str(each) for each in ids}
    assert all(key == event["subject"] for key, event in found)
    for domain, versions in (("payer", [1, 2, 3]), ("item", [4, 5])):
        assert [event["data"]["version"] for _, event in found if event["domain"] == domain] == versions
    assert rows("select s.position = p.last_seq, s.failures from sink s, feed_position p") == [(True, 0)]


def test_what_is_sent_is_not_sent_again(url, tell, send):
    golden_id = uuid4()
    for version in (1, 2):
        tell(version, about=golden_id)
        send(url)
    send(url)
    assert [event["data"]["version"] for _, event in received(url, 3, seconds=2)] == [1, 2]


def test_a_broker_that_is_down_costs_nothing_but_time(url, cluster, tell, send, rows, monkeypatch):
    monkeypatch.setattr(kafka, "FLUSH_SECONDS", 0.5)
    golden_id = uuid4()
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = url.replace(cluster, f"127.0.0.1:{taken.getsockname()[1]}")
        tell(1, 2, about=golden_id)
        send(nowhere)
    failures, error, later = rows("select failures, last_error, next_try_at > now() from sink")[0]
    assert (failures, error, later) == (1, "timed out", True)
    tell(3, about=golden_id)
    rows("update sink set next_try_at = now()")
    monkeypatch.undo()
    send(url)
    assert [event["data"]["version"] for _, event in received(url, 3)] == [1, 2, 3]
    assert rows("select failures, last_error from sink") == [(0, None)]


def test_the_url_says_how_to_get_in():
    plain = broker("kafka://a.example:9092,b.example:9092/mdm.changes")
    assert (plain.topic, plain.config["bootstrap.servers"]) == ("mdm.changes", "a.example:9092,b.example:9092")
    secured = broker("kafka+ssl://me:p%40ss@a.example:9093/t").config
    assert (secured["security.protocol"], secured["sasl.username"], secured["sasl.password"]) == ("SASL_SSL", "me", "p@ss")
    assert broker("kafka+ssl://a.example:9093/t").config["security.protocol"] == "SSL"
    assert "p@ss" not in repr(broker("kafka+ssl://me:p%40ss@a.example:9093/t"))


@pytest.mark.parametrize(
    "url", ["kafka://a.example/t", "http://a.example:1/t", "kafka://a.example:9092", "kafka://:9092/t", "a.example:1/t"]
)
def test_a_setting_that_cannot_be_used_is_named_at_start(url):
    with pytest.raises(SettingsError, match="MDM_KAFKA_URL"):
        Settings.from_env({"MDM_KAFKA_URL": url})
