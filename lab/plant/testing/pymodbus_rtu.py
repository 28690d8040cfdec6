# Reads the units of a plant's serial bus with pymodbus. Arguments: the serial port. Prints one JSON line.
import json
import sys

from pymodbus.client import ModbusSerialClient

client = ModbusSerialClient(sys.argv[1], baudrate=19200, timeout=1, retries=0)
client.connect()


def registers(unit, address, count):
    answer = client.read_holding_registers(address, count, slave=unit)
    return None if answer.isError() else answer.registers


result = {
    "mixer": registers(11, 0, 26),
    "descriptor": registers(11, 1000, 6),
    "scale": registers(12, 0, 26),
    "hole": registers(11, 500, 1),
    "wrong_unit": registers(1, 0, 26),
    "after": registers(12, 0, 26),
}
client.close()
print(json.dumps(result))
