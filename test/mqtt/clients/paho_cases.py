"""What Python's paho-mqtt 1.6 does with a gateway. Arguments: port, version (3, 4 or 5), case. Fails with a traceback."""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PORT, VERSION = int(sys.argv[1]), int(sys.argv[2])
WAIT_S = 20


def properties(packet_type, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Client:
    """A client whose loop runs in a thread; what it is told comes out of queues."""

    def __init__(self, name="", clean=True, will=None, expiry=None, **connect):
        session = {} if VERSION == 5 else {"clean_session": clean or name == ""}
        self.mqtt = mqtt.Client(client_id=name, protocol=VERSION, **session)
        self.connected, self.acknowledged, self.messages = queue.Queue(), queue.Queue(), queue.Queue()
        self.gone, self.published = queue.Queue(), queue.Queue()
        self.mqtt.on_connect = lambda client, data, flags, code, *rest: self.connected.put((flags, code, *rest))
        self.mqtt.on_subscribe = lambda client, data, mid, codes, *rest: self.acknowledged.put(codes)
        self.mqtt.on_unsubscribe = lambda *rest: self.acknowledged.put(rest)
        self.mqtt.on_publish = lambda client, data, mid: self.published.put(mid)
        self.mqtt.on_message = lambda client, data, message: self.messages.put(message)
        self.mqtt.on_disconnect = lambda client, data, code, *rest: self.gone.put(code)
        if will:
            self.mqtt.will_set(*will)
        if VERSION == 5:
            connect.setdefault("clean_start", clean)
            if expiry is not None:
                connect["properties"] = properties(PacketTypes.CONNECT, SessionExpiryInterval=expiry)
        self.mqtt.connect("127.0.0.1", PORT, **connect)
        self.mqtt.loop_start()
        flags, code, *self.told = self.connected.get(timeout=WAIT_S)
        assert code == 0, code
        self.session_present = flags["session present"] if VERSION > 3 else None

    def subscribe(self, *args, **more):
        self.mqtt.subscribe(*args, **more)
        return [int(getattr(code, "value", code)) for code in self.acknowledged.get(timeout=WAIT_S)]

    def publish(self, topic, payload=None, **more):
        self.mqtt.publish(topic, payload, **more).wait_for_publish(WAIT_S)

    def hears(self):
        return self.messages.get(timeout=WAIT_S)

    def texts(self, count):
        return [f"{message.topic} {message.payload.decode()}" for message in (self.hears() for _ in range(count))]

    def leave(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def vanish(self):
        self.mqtt.loop_stop()
        self.mqtt._sock_close()


def flows():
    hearer, speaker = Client(), Client()
    assert hearer.subscribe([("flow/0", 0), ("flow/1", 1), ("flow/2", 2)]) == [0, 1, 2]
    sent = []
    for number in range(300):
        qos = number % 3
        speaker.mqtt.publish(f"flow/{qos}", f"{number}", qos=qos)
        sent.append(f"flow/{qos} {number}")
    got = hearer.texts(300)
    for qos in range(3):
        assert [text for text in got if text.startswith(f"flow/{qos}")] == sent[qos::3], (qos, got)
    for _ in range(300):
        speaker.published.get(timeout=WAIT_S)
    hearer.mqtt.unsubscribe("flow/0")
    hearer.acknowledged.get(timeout=WAIT_S)
    speaker.publish("flow/0", "unheard")
    speaker.publish("flow/1", "last", qos=1)
    assert hearer.texts(1) == ["flow/1 last"]


def retained():
    speaker = Client()
    speaker.publish("kept/a", "1", qos=1, retain=True)
    speaker.publish("kept/b", "2", qos=2, retain=True)
    speaker.publish("kept/c", b"\x00\xff" * 1000, qos=1, retain=True)
    speaker.publish("kept/b", "", qos=1, retain=True)
    hearer = Client()
    hearer.subscribe("kept/+", 2)
    first, second = sorted((hearer.hears(), hearer.hears()), key=lambda message: message.topic)
    assert (first.topic, first.payload, first.retain, first.qos) == ("kept/a", b"1", True, 1)
    assert (second.topic, len(second.payload), second.retain) == ("kept/c", 2000, True)
    speaker.publish("kept/d", "live", qos=1, retain=True)
    live = hearer.hears()
    assert (live.topic, live.retain) == ("kept/d", False)


def sessions():
    expiry = 600 if VERSION == 5 else None
    first = Client("meter", clean=True)
    first.leave()
    away = Client("meter", clean=False, expiry=expiry)
    assert not away.session_present
    away.subscribe("missed/#", 2)
    away.vanish()
    speaker = Client()
    for number in range(20):
        speaker.publish("missed/1", str(number), qos=1 + number % 2)
    back = Client("meter", clean=False, expiry=expiry)
    assert back.session_present is not False
    # At QoS 2 it tells of a message when PUBREL comes, behind others of QoS 1.
    got = back.texts(20)
    for parity in (0, 1):
        assert got_of(parity, got) == [f"missed/1 {number}" for number in range(parity, 20, 2)], got
    # Whoever comes with the same name takes over.
    Client("meter", clean=False, expiry=expiry)
    code = back.gone.get(timeout=WAIT_S)
    assert int(getattr(code, "value", code)) != 0, code


def got_of(parity, texts):
    return [text for text in texts if int(text.split()[1]) % 2 == parity]


def wills():
    hearer = Client()
    hearer.subscribe("will/#", 1)
    leaving, lost = Client(will=("will/left", "x", 1, False)), Client(will=("will/lost", "y", 1, True))
    leaving.leave()
    lost.vanish()
    assert hearer.texts(1) == ["will/lost y"]
    later = Client()
    later.subscribe("will/#")
    assert later.hears().retain


def properties_of_5():
    hearer = Client()
    identified = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=5)
    hearer.mqtt.subscribe("with/#", options=SubscribeOptions(qos=1), properties=identified)
    hearer.acknowledged.get(timeout=WAIT_S)
    speaker = Client()
    sent = properties(
        PacketTypes.PUBLISH,
        PayloadFormatIndicator=1,
        MessageExpiryInterval=100,
        ContentType="text/plain",
        ResponseTopic="answer/here",
        CorrelationData=b"id",
        UserProperty=[("a", "1"), ("a", "2"), ("b", "3")],
    )
    speaker.publish("with/all", "x", qos=1, properties=sent)
    got = hearer.hears().properties
    for name in ("PayloadFormatIndicator", "ContentType", "ResponseTopic", "CorrelationData", "UserProperty"):
        assert getattr(got, name) == getattr(sent, name), name
    assert got.MessageExpiryInterval in (99, 100)
    assert got.SubscriptionIdentifier == [5]
    # By alias from the second message on.
    for text, topic in (("1", "with/alias"), ("2", ""), ("3", "")):
        speaker.publish(topic, text, qos=1, properties=properties(PacketTypes.PUBLISH, TopicAlias=3))
    assert hearer.texts(3) == ["with/alias 1", "with/alias 2", "with/alias 3"]


def options_of_5():
    both = Client()
    both.mqtt.subscribe("own/quiet", options=SubscribeOptions(qos=1, noLocal=True))
    both.mqtt.subscribe("own/loud", options=SubscribeOptions(qos=1, retainAsPublished=True))
    for _ in range(2):
        both.acknowledged.get(timeout=WAIT_S)
    both.publish("own/quiet", "x", qos=1)
    both.publish("own/loud", "y", qos=1, retain=True)
    message = both.hears()
    assert (message.topic, message.retain) == ("own/loud", True)
    # Retain handling: only if the subscription is new, and never.
    both.mqtt.subscribe("own/loud", options=SubscribeOptions(qos=1, retainHandling=1))
    both.mqtt.subscribe("own/loud", options=SubscribeOptions(qos=1, retainHandling=2))
    both.mqtt.subscribe("own/loud", options=SubscribeOptions(qos=1, retainHandling=0))
    both.publish("own/loud", "z", qos=1)
    assert sorted(both.texts(2)) == ["own/loud y", "own/loud z"]


def limits_of_5():
    small = Client(properties=properties(PacketTypes.CONNECT, MaximumPacketSize=100, ReceiveMaximum=2))
    small.subscribe("small", 2)
    speaker = Client()
    for number in range(30):
        speaker.publish("small", "x" * 200 if number % 3 == 2 else str(number), qos=number % 3)
    assert sorted(small.texts(20), key=lambda text: int(text.split()[1])) == [
        f"small {number}" for number in range(30) if number % 3 < 2
    ]


{
    "flows": flows,
    "retained": retained,
    "sessions": sessions,
    "wills": wills,
    "properties": properties_of_5,
    "options": options_of_5,
    "limits": limits_of_5,
}[sys.argv[3]]()
print("done")
