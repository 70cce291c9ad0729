// Workspaces, and what the scripted model says about them.

export const BROKEN =
  "def add(a, b):\n    return a - b\n\n\ndef half(a):\n    return a * 2\n\n\ndef same(a):\n    return a\n";
const TESTS =
  "from calc import add, half, same\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n" +
  "def test_half():\n    assert half(8) == 4\n\n\ndef test_same():\n    assert same(1) == 1\n";
export const FILES = { "calc.py": BROKEN, "test_calc.py": TESTS };
export const SLOW = {
  ...FILES,
  "test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(19)\n",
  "long.py": Array.from({ length: 5000 }, (_, number) => `value_${number} = ${number}\n`).join(""),
};
export const SALES = { ...FILES, "sales.csv": "product,amount\ntea,3\ncoffee,9\ntea,4\n" };
export const PROVEN = "proven in a fresh sandbox";

export const BOTH =
  "It subtracts, and it doubles.\n\n```python\ndef add(a, b):\n    return a + b\n\n\ndef half(a):\n    return a / 2\n```\n";

export const CHART =
  "I add it up and draw it.\n\n```python\nimport struct, zlib\n\n" +
  "def chunk(kind, data):\n    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\n\n" +
  "def column(x, y):\n    bar = [7, 9][x // 120]\n    return b'\\x2a\\x6f\\xdb' if 20 < x % 120 < 100 and y > 170 - bar * 17 else b'\\xff\\xff\\xff'\n\n" +
  "rows = b''.join(b'\\0' + b''.join(column(x, y) for x in range(240)) for y in range(170))\n" +
  "png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 240, 170, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')\n" +
  "open('chart.png', 'wb').write(png)\nopen('top.csv', 'w').write('product,sum\\ntea,7\\ncoffee,9\\n')\nprint('coffee 9, tea 7')\n```\n";

export const RENAME =
  "I tidy up.\n\n```python\nfrom pathlib import Path\n\nPath('plan.txt').rename('plan.md')\n" +
  "Path('NOTES.md').write_text('The plan is Markdown now.\\n')\nPath('old.txt').unlink()\nprint('done')\n```\n";

export const SCRIPT =
  "```python\nimport argparse\nfrom pathlib import Path\n\n\ndef main():\n    parser = argparse.ArgumentParser()\n" +
  "    parser.add_argument('--dry-run', action='store_true')\n    options = parser.parse_args()\n" +
  "    print('would write' if options.dry_run else 'writes', 'NAMES.txt')\n    if not options.dry_run:\n" +
  "        Path('NAMES.txt').write_text('calc.py\\n')\n\n\nif __name__ == '__main__':\n    main()\n```\n";
