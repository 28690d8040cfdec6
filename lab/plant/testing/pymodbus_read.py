# Reads a plant with pymodbus and prints what it got, as one JSON line. Arguments: Modbus port.
# The decoding is Python's own (struct), so that nothing of the project checks itself. The unit is `slave` in
# most calls of pymodbus 3.0 and `unit` in the others, which silently ask unit 0 when given `slave`.
import json
import struct
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.file_message import FileRecord, ReadFileRecordRequest

RECORD = 26
PER_FILE = 9984
RECORDS_A_REQUEST = 4


def decode(block):
    stamp, number, temperature, pressure, flow, energy, status, level, label = struct.unpack(
        ">QIffIdHh16s", block
    )
    return {
        "timestamp": stamp,
        "number": number,
        "values": {
            "temperature": temperature,
            "pressure": pressure,
            "flow": flow,
            "energy": energy,
            "status": status,
            "running": bool(status & 1),
            "alarm": bool(status & 2),
            "door": bool(status & 4),
            "level": level / 10,
            "label": label.rstrip(b"\0").decode("ascii"),
        },
    }


def good(answer):
    if answer.isError():
        raise SystemExit(f"the plant answered {answer}")
    return answer


def block_of(registers):
    return struct.pack(f">{len(registers)}H", *registers)


client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=3)
client.connect()


def descriptor(unit):
    registers = good(client.read_holding_registers(1000, 6, slave=unit)).registers
    return struct.unpack(">IIHH", block_of(registers))


def ring(unit):
    newest, oldest, capacity, length = descriptor(unit)
    for number in range(oldest, newest + 1):
        address = 2000 + number % capacity * length
        yield decode(block_of(good(client.read_holding_registers(address, length, slave=unit)).registers))


def files(unit):
    newest, oldest, capacity, length = descriptor(unit)
    numbers = range(oldest, newest + 1)
    for at in range(0, len(numbers), RECORDS_A_REQUEST):
        wanted = []
        for number in numbers[at : at + RECORDS_A_REQUEST]:
            position = number % capacity * length
            wanted.append(
                FileRecord(
                    file_number=1 + position // PER_FILE,
                    record_number=position % PER_FILE,
                    record_length=length,
                )
            )
        for record in good(client.execute(ReadFileRecordRequest(wanted, unit=unit))).records:
            yield decode(record.record_data)


def exception(answer):
    return answer.exception_code if answer.isError() else None


result = {
    "live": {
        unit: decode(block_of(good(client.read_holding_registers(0, RECORD, slave=unit)).registers))
        for unit in (1, 2, 3)
    },
    "input": decode(block_of(good(client.read_input_registers(0, RECORD, slave=3)).registers)),
    "coils": good(client.read_coils(0, 16, slave=1)).bits[:16],
    "inputs": good(client.read_discrete_inputs(0, 16, slave=1)).bits[:16],
    "ring": list(ring(1)),
    "files": list(files(2)),
}

good(client.write_coil(17, True, slave=1))
good(client.write_coils(20, [True, False, True], slave=1))
good(client.write_register(100, 4242, slave=1))
good(client.write_registers(101, [1, 65535], slave=1))
good(client.mask_write_register(100, 0xFF00, 0x0001, unit=1))
result["commands"] = good(client.read_coils(16, 8, slave=1)).bits[:8]
result["setpoints"] = good(client.read_holding_registers(100, 3, slave=1)).registers
both = {"read_address": 100, "read_count": 2, "write_address": 103, "write_registers": [7]}
result["readwrite"] = good(client.readwrite_registers(**both, unit=1)).registers
result["exceptions"] = {
    "hole": exception(client.read_holding_registers(500, 1, slave=1)),
    "function": exception(client.execute(ReadFileRecordRequest([FileRecord(file_number=1)], unit=1))),
    "unit": exception(client.read_holding_registers(0, 1, slave=9)),
    "file": exception(
        client.execute(ReadFileRecordRequest([FileRecord(file_number=99, record_length=1)], unit=2))
    ),
}
client.close()
print(json.dumps(result))
