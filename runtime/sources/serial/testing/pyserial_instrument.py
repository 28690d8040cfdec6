"""An instrument on a serial port, spoken to with pyserial: answers each command in another framing and check sum.

argv: the port. Prints "ready". Every answer carries a counter, so that each sample is another one.
CRC and packing are Python's own (binascii.crc_hqx is CRC-16/XMODEM), so nothing here shares code with what it tests.
"""

import binascii
import functools
import operator
import struct
import sys
import threading
import time

import serial

port = serial.Serial(sys.argv[1], baudrate=19200, parity=serial.PARITY_NONE, timeout=None)
lock = threading.Lock()
count = 0
talking = threading.Event()
limit = 7.5


def xor(data):
    return functools.reduce(operator.xor, data, 0)


def send(data):
    with lock:
        port.write(data)


def delimiter(n):
    body = b"T=%.2f;P=%d" % (20 + n / 100, 1000 + n)
    return body + b"%02X\r\n" % (sum(body) & 0xFF)


def fixed(n):
    body = struct.pack("<HhfB", 0xAA55, -n, n / 4, n % 2)
    return body + struct.pack(">H", binascii.crc_hqx(body, 0))


def start_end(n):
    body = b"N%05d W+%08.3f" % (n, n / 8) + b"\x03"
    return b"\x02" + body + bytes([xor(body)])


def length_field(n):
    payload = struct.pack(">Iqd", n, 1_700_000_000_000 + n * 1000, n / 16)
    return b"\xa5" + bytes([len(payload)]) + payload + bytes([-sum(payload) & 0xFF])


def silence(n):
    return b"%d %d on" % (n, n * n)


def set_limit(n):
    return b"LIMIT %.2f\r\n" % limit


answers = {
    b"delimiter": delimiter,
    b"fixed": fixed,
    b"start-end": start_end,
    b"length-field": length_field,
    b"silence": silence,
    b"limit?": set_limit,
}


def talk():
    n = 0
    while True:
        talking.wait()
        n += 1
        body = b"PHOLD,%d,%.1f,C" % (n, n / 10)
        send(b"$" + body + b"*%02X\r\n" % xor(body))
        time.sleep(0.02)


threading.Thread(target=talk, daemon=True).start()
print("ready", flush=True)
while True:
    command = port.read_until(b"\r").strip()
    count += 1
    if command == b"talk":
        talking.set()
    elif command == b"hush":
        talking.clear()
    elif command.startswith(b"limit="):
        limit = float(command[6:])
        send(b"OK\r\n")
    elif command in answers:
        data = answers[command](count)
        # In two pieces, as a slow instrument sends them.
        send(data[:3])
        time.sleep(0.003)
        send(data[3:])
    else:
        send(b"ERR\r\n")
