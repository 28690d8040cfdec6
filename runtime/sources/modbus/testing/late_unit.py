"""A Modbus RTU unit at the end of a real serial port that answers in order, and often too late.

Each holding register holds its own address, so that an answer which is taken for another request's is a wrong value.
Arguments: port, seed, habit. Habits: `late` (every few answers take longer than any timeout), `echo` (what is heard
comes back first, as on many two-wire adapters; it knows function 8, as `other` does), `other` (another master's requests and the answers to it go by).
Prints `ready` once it listens.
"""
import os
import random
import select
import sys
import time
import tty


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes([value & 0xFF, value >> 8])


def answer(request: bytes, has_loopback: bool = True) -> bytes:
    unit, function = request[0], request[1]
    if function == 8 and has_loopback:
        return request
    if function != 3:
        body = bytes([unit, function | 0x80, 1])
        return body + crc(body)
    address, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    data = b"".join((address + at).to_bytes(2, "big") for at in range(count))
    body = bytes([unit, function, len(data)]) + data
    return body + crc(body)


def main() -> None:
    port, seed, habit = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    dice = random.Random(seed)
    line = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    print("ready", flush=True)
    heard = b""
    while True:
        readable, _, _ = select.select([line], [], [], 0.2)
        if readable:
            heard += os.read(line, 256)
        if habit == "other" and not heard and dice.random() < 0.05:
            # For the same unit, so that neither unit nor function tells it from our own.
            request = bytes([1, 3]) + (900).to_bytes(2, "big") + (1).to_bytes(2, "big")
            request += crc(request)
            os.write(line, request)
            time.sleep(0.03)
            os.write(line, answer(request))
        while len(heard) >= 8:
            request, heard = heard[:8], heard[8:]
            if request[6:8] != crc(request[:6]):
                heard = b""
                break
            if habit == "echo":
                os.write(line, request)
            time.sleep(0.02)
            if dice.random() < 0.06:
                time.sleep(dice.choice([0.25, 0.6, 1.15]))
            os.write(line, answer(request, habit != "late"))


main()
