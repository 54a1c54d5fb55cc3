"""An invented corner shop for the tutorial: a catalogue and thirty weeks of receipts, with truths planted to be found.

    python docs/tutorials/corner_shop.py FOLDER

Planted: burger buns and beef patties go on the same trip, so do spaghetti and tomato sauce; the two milks take each other's
place; everything else meets only because some baskets are large. Four lines are spoilt on purpose. The same file every time.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
import sys
from pathlib import Path

CUSTOMERS, WEEKS, FIRST_MONDAY = 700, 30, dt.datetime(2025, 1, 6)
CATALOGUE: dict[
    str, tuple[str, str, str, str, int, float]
] = {  # name, variant, department, category, price in cents, how often it is wanted
    "M1": ("Whole milk", "1 l", "Dairy", "Milk", 129, 0),
    "M2": ("Skimmed milk", "1 l", "Dairy", "Milk", 119, 0),
    "D1": ("Butter", "250 g", "Dairy", "Butter", 249, 5),
    "D2": ("Plain yoghurt", "500 g", "Dairy", "Yoghurt", 159, 5),
    "D3": ("Cheddar cheese", "200 g", "Dairy", "Cheese", 329, 4),
    "B1": ("White bread", "sliced", "Bakery", "Bread", 189, 8),
    "B2": ("Burger buns", "4 pieces", "Bakery", "Buns", 199, 1.5),
    "F1": ("Beef patties", "4 pieces", "Frozen", "Meat", 599, 1.5),
    "F2": ("Fish fingers", "10 pieces", "Frozen", "Fish", 399, 3),
    "P1": ("Spaghetti", "500 g", "Pantry", "Pasta", 139, 2),
    "P2": ("Tomato sauce", "jar", "Pantry", "Sauces", 219, 2),
    "P3": ("Basmati rice", "1 kg", "Pantry", "Rice", 289, 3),
    "P4": ("Corn flakes", "500 g", "Pantry", "Cereals", 269, 4),
    "P5": ("Ground coffee", "500 g", "Pantry", "Coffee", 649, 5),
    "V1": ("Bananas", "loose", "Produce", "Fruit", 149, 9),
    "V2": ("Apples", "bag", "Produce", "Fruit", 279, 7),
    "V3": ("Carrots", "bag", "Produce", "Vegetables", 119, 5),
    "H1": ("Washing-up liquid", "500 ml", "Household", "Cleaning", 179, 3),
    "H2": ("Kitchen roll", "2 rolls", "Household", "Paper", 239, 4),
}
TOGETHER = (("B2", "F1", 0.05), ("P1", "P2", 0.06))
MILK, SHOPS = 0.45, 0.3


def trip(dice: random.Random) -> set[str]:
    """What is brought home: some of what is usual, one milk or the other, and now and then a planted pair."""
    usual = [sku for sku, product in CATALOGUE.items() if product[5]]
    weights = [CATALOGUE[sku][5] for sku in usual]
    wanted = set(dice.choices(usual, weights, k=dice.choice((1, 1, 2, 2, 8))))
    if dice.random() < MILK:
        wanted.add(dice.choice(("M1", "M2")))
    for one, other, chance in TOGETHER:
        if dice.random() < chance:
            wanted |= {one, other}
    return wanted


def receipts() -> list[list[str]]:
    """Lines of every receipt in the order they were rung up, in the words of the till."""
    dice = random.Random(20250106)  # noqa: S311 - invented receipts
    trips = []
    for customer in range(1, CUSTOMERS + 1):
        for week in range(WEEKS):
            if dice.random() < SHOPS:
                minutes = dice.randrange(7) * 24 * 60 + dice.randrange(8 * 60, 20 * 60)
                trips.append((FIRST_MONDAY + dt.timedelta(weeks=week, minutes=minutes), f"C{customer:03}", trip(dice)))
    lines = []
    for number, (when, card, wanted) in enumerate(sorted(trips, key=lambda trip: trip[:2]), start=1):
        for sku in sorted(wanted):
            price = f"{CATALOGUE[sku][4] / 100:.2f}".replace(".", ",")
            lines.append([f"R{number:05}", sku, when.strftime("%d.%m.%Y %H:%M"), str(dice.choice((1, 1, 1, 2))), price, card])
    return lines


def spoilt(lines: list[list[str]]) -> list[list[str]]:
    """The same with four bad lines: a product nobody lists, no units, no readable date, and one line twice."""
    bad = [list(lines[10]) for _ in range(4)]
    bad[0][1], bad[1][3], bad[2][2] = "X9", "0", "yesterday"
    return [*lines, *bad]


def main(folder: Path) -> None:
    """Write FOLDER/products.csv and FOLDER/lines/2025.csv."""
    (folder / "lines").mkdir(parents=True, exist_ok=True)
    catalogue = [[sku, *map(str, product[:4])] for sku, product in CATALOGUE.items()]
    tables = {
        "products.csv": [["SKU", "name", "variant", "department", "category"], *catalogue],
        "lines/2025.csv": [["receipt", "SKU", "sold_at", "quantity", "unit_price", "card"], *spoilt(receipts())],
    }
    for name, rows in tables.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=";", lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
