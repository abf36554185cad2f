"""Bytes that both ends of a transfer can make for themselves: every block differs from every other."""

import hashlib
import random

BLOCK = 64 * 1024


def pieces(seed: int, total: int):
    base = random.Random(seed).randbytes(BLOCK - 8)
    number = 0
    while total > 0:
        block = number.to_bytes(8, "big") + base
        yield block if total >= BLOCK else block[:total]
        total -= BLOCK
        number += 1


def digest(seed: int, total: int) -> str:
    sha = hashlib.sha256()
    for piece in pieces(seed, total):
        sha.update(piece)
    return sha.hexdigest()
