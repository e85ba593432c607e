"""Invented words: what the goods are called and how their suppliers praise them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A sort of goods: the keyword that finds it, and the stuff its products are made of.

    `low` and `high` bound the prices in cents, `grams` is the middle weight.
    """

    keyword: str
    noun: str
    cn: str
    category: tuple[str, str, str]
    low: int
    high: int
    grams: int
    options: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    material: str
    extra: str  # the cheap thing sold beside it, in the same listing


COLOURS = ("Black", "White", "Pink", "Blue", "Grey", "Green")
PLUGS = ("US", "EU", "UK")
SIZES = ("S", "M", "L")

ELECTRONICS = "Consumer Electronics"
HOME = "Home, Garden & Furniture"
SPORTS = "Sports & Outdoors"

KINDS: tuple[Kind, ...] = (
    Kind("wireless headphones", "Wireless Headphones", "无线耳机", (ELECTRONICS, "Audio & Video", "Headphones"),
         890, 2790, 260, "Color", COLOURS, (), "ABS", "Cable"),
    Kind("phone stand", "Phone Stand", "手机支架", ("Phones & Accessories", "Accessories", "Phone Holders"),
         190, 890, 150, "Color-Style", COLOURS, ("Single", "Double"), "Aluminum", "Pad"),
    Kind("bluetooth speaker", "Bluetooth Speaker", "蓝牙音箱", (ELECTRONICS, "Audio & Video", "Speakers"),
         790, 2490, 420, "Color", COLOURS, (), "ABS", "Strap"),
    Kind("wireless earbuds", "Wireless Earbuds", "无线耳塞", (ELECTRONICS, "Audio & Video", "Earphones"),
         590, 1990, 90, "Color", COLOURS, (), "PC", "Tips"),
    Kind("usb hub", "USB Hub", "扩展坞", ("Computer & Office", "Peripherals", "USB Hubs"),
         390, 1690, 80, "Color-Ports", ("Black", "Silver"), ("4 Ports", "7 Ports"), "Aluminum", "Cable"),
    Kind("desk lamp", "Desk Lamp", "台灯", (HOME, "Lights & Lighting", "Desk Lamps"),
         690, 2290, 560, "Color-Plug", ("White", "Black", "Wood"), PLUGS, "Iron", "Bulb"),
    Kind("water bottle", "Water Bottle", "水杯", (HOME, "Kitchen, Dining & Bar", "Drinkware"),
         350, 1290, 340, "Color-Capacity", COLOURS, ("500ML", "750ML"), "Stainless steel", "Lid"),
    Kind("yoga mat", "Yoga Mat", "瑜伽垫", (SPORTS, "Fitness", "Yoga"),
         590, 1890, 900, "Color-Dimensions", COLOURS, ("183X61CM", "183X80CM"), "TPE", "Carry Strap"),
    Kind("pet brush", "Pet Brush", "宠物梳", ("Pet Supplies", "Grooming", "Combs & Brushes"),
         150, 790, 130, "Color-Size", COLOURS, ("S", "L"), "Stainless steel", "Comb"),
    Kind("kitchen scale", "Kitchen Scale", "厨房秤", (HOME, "Kitchen, Dining & Bar", "Measuring Tools"),
         490, 1490, 390, "Color", ("Black", "White", "Silver"), (), "Tempered glass", "Battery"),
    Kind("led strip", "LED Strip", "灯带", (HOME, "Lights & Lighting", "LED Strips"),
         290, 1390, 180, "Length-Plug", ("2M", "5M", "10M"), PLUGS, "Silicone", "Clip"),
    Kind("car charger", "Car Charger", "车载充电器", ("Automobiles", "Interior Accessories", "Chargers"),
         250, 1190, 70, "Color", ("Black", "White", "Red"), (), "Zinc alloy", "Cable"),
    Kind("backpack", "Backpack", "背包", ("Bags & Shoes", "Luggage & Bags", "Backpacks"),
         990, 2990, 720, "Color-Size", COLOURS, SIZES, "Polyester", "Rain Cover"),
    Kind("smart watch", "Smart Watch", "智能手表", (ELECTRONICS, "Wearables", "Smart Watches"),
         1290, 3490, 120, "Color", ("Black", "Silver", "Rose Gold"), (), "Zinc alloy", "Strap"),
    Kind("ring light", "Ring Light", "补光灯", (ELECTRONICS, "Camera & Photo", "Photo Lighting"),
         590, 1990, 480, "Dimensions-Plug", ("16CM", "26CM", "33CM"), PLUGS, "ABS", "Tripod"),
    Kind("travel pillow", "Travel Pillow", "旅行枕", (HOME, "Home Textiles", "Pillows"),
         390, 1390, 310, "Color", COLOURS, (), "Memory foam", "Bag"),
    Kind("garlic press", "Garlic Press", "压蒜器", (HOME, "Kitchen, Dining & Bar", "Kitchen Gadgets"),
         190, 890, 240, "Color", ("Silver", "Black", "Green"), (), "Stainless steel", "Brush"),
    Kind("resistance bands", "Resistance Bands", "弹力带", (SPORTS, "Fitness", "Exercise Bands"),
         250, 1290, 230, "Color-Strength", COLOURS, ("10LB", "30LB"), "Latex", "Bag"),
    Kind("laptop sleeve", "Laptop Sleeve", "电脑包", ("Computer & Office", "Laptop Accessories", "Sleeves"),
         390, 1490, 260, "Color-Size", COLOURS, ("13 Inch", "15 Inch"), "Polyester", "Pouch"),
    Kind("night light", "Night Light", "小夜灯", (HOME, "Lights & Lighting", "Night Lights"),
         290, 1190, 160, "Color", ("Warm", "White", "Star"), (), "Silicone", "Cable"),
)  # fmt: skip

ADJECTIVES = ("Foldable", "Portable", "Mini", "Waterproof", "Adjustable", "Rechargeable", "Nordic", "Magnetic",
              "Multifunctional", "Luxury", "Creative", "Ultra Thin", "Heavy Duty", "Cute Cartoon", "Retro")  # fmt: skip
TRAITS = ("For Travel And Office", "With Storage Box", "Household Gift", "For Men And Women", "Anti Slip Design",
          "Cross-border New Style", "With Indicator", "For Outdoor Use", "2026 Upgraded Version")  # fmt: skip
CN_TRAITS = ("跨境爆款", "新款家用", "便携", "ins风", "亚马逊热卖", "工厂直销")
PRAISE = (
    "Portable and compact, suitable for busy family trips.",
    "Easy to clean &amp; easy to store.",
    "Made of selected material, durable and not easy to deform.",
    "A practical gift for friends, colleagues &amp; family.",
    "Simple design, one hand is enough.",
    "Please allow 1-3cm error due to manual measurement.",
)
BRANDED = (
    "<strong>Description</strong>: <br><p>Treat yourself with this piece from [BRAND NAME]! Our range is both stylish "
    "and functional. Get yours from [BRAND NAME] today!</p>"
)
EDITED = ' style="max-width:100%;" contenteditable="false"'
#: Letters that end variant SKUs.
TAILS = ("AZ", "BY", "CX", "DW", "EV", "FU", "GT", "HS", "IR", "JQ", "KP", "LO")
