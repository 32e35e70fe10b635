"""Builds the documents that the tests read, with real writers."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

PAGES = (
    "This agreement takes effect on 3 March 2025. The price of a delivery is 148 euros.",
    "Either party may end this agreement with a notice period of 90 days.",
    "Disputes are settled by the court of Rotterdam.",
)


def write_pdf(path: Path, pages: Sequence[str] = PAGES, password: str | None = None) -> Path:
    """One line of text a page; an empty string gives a page with a drawing and no text."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=A4, encrypt=password)
    for text in pages:
        canvas.rect(50, 50, 100, 100)
        canvas.drawString(40, 700, text)
        canvas.showPage()
    canvas.save()
    return path


def write_scan(path: Path, pages: Sequence[str], stamp: str = "") -> Path:
    """A PDF whose pages are pictures of text, with a stamp that is text."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=A4)
    for text in pages:
        canvas.drawImage(ImageReader(picture_of(text)), 0, 600, 595, 150)
        canvas.drawString(40, 40, stamp)
        canvas.showPage()
    canvas.save()
    return path


def write_form(path: Path, field: str, value: str) -> Path:
    """A PDF with a form field that was filled in."""
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path))
    canvas.drawString(40, 700, f"{field}:")
    canvas.acroForm.textfield(name=field, value=value, x=100, y=690, width=200, height=20)
    canvas.save()
    return path


def picture_of(text: str) -> Any:
    """A Pillow image, black words on white."""
    import pypdfium2
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 150))
    canvas.setFont("Helvetica", 24)
    canvas.drawString(40, 80, text)
    canvas.save()
    return pypdfium2.PdfDocument(buffer)[0].render(scale=2).to_pil()


def write_word(path: Path) -> Path:
    """A heading, a paragraph, a list, a table, a comment, an insertion under tracked changes, and a page header."""
    import docx
    from docx.oxml import parse_xml

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Confidential draft"
    document.add_heading("Delivery", level=1)
    paragraph = document.add_paragraph("Bread arrives before half past six.")
    document.add_comment(paragraph.runs, text="Is this agreed?", author="Ada")
    document.add_paragraph("sesame", style="List Bullet")
    document.add_paragraph("walnuts", style="List Bullet 2")
    cells = document.add_table(rows=2, cols=2).rows
    for row, (item, price) in zip(cells, [("Rye", "4 euros"), ("Wheat", "3 euros")], strict=True):
        row.cells[0].text, row.cells[1].text = item, price
    document.add_paragraph("תקופת ההודעה היא שלושים יום.")
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    inserted = f"<w:ins {word} w:id='9' w:author='Ada'><w:r><w:t>On Sundays at eight.</w:t></w:r></w:ins>"
    document.add_paragraph()._p.append(parse_xml(inserted))
    document.save(str(path))
    return path


def write_slides(path: Path) -> Path:
    """Three slides: a title and points with notes, a table, and one that is only a picture."""
    import pptx
    from pptx.util import Inches

    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Opening hours"
    first.placeholders[1].text = "Monday from six\nSunday from eight"
    first.notes_slide.notes_text_frame.text = "Mention the holidays."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for row, values in enumerate([("Item", "Price"), ("Rye", "4 euros")]):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    buffer = io.BytesIO()
    picture_of("Closed in August").save(buffer, "png")
    deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_picture(buffer, 0, 0)
    deck.save(str(path))
    return path


def write_sheets(path: Path, sheets: Mapping[str, Iterable[Sequence[Any]]]) -> Path:
    """An Excel file; dates are written as dates."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def write_long_sheet(path: Path, rows: int) -> Path:
    """An Excel file whose rows are written as text at once, which is ten times quicker than cell by cell."""
    write_sheets(path, {"Prices": [("Item", 1)]})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    row = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>Item {0}</t></is></c><c r="B{0}"><v>{0}</v></c></row>'
    data = "".join(row.format(number) for number in range(1, rows + 1))
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    members["xl/worksheets/sheet1.xml"] = f"<worksheet {space}><sheetData>{data}</sheetData></worksheet>".encode()
    return write_zip(path, members)


def write_sparse_sheet(path: Path) -> Path:
    """Two cells, in the first and in the last corner of what Excel can hold."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Far")
        sheet.write(0, 0, "first")
        sheet.write(1_048_575, 16_383, "last")
    return path


def write_old_sheet(path: Path, rows: Iterable[Sequence[Any]]) -> Path:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            sheet.write(number, column, value)
    book.save(str(path))
    return path


def write_opendocument(path: Path) -> Path:
    """A heading, a paragraph, a nested list and a table."""
    from odf import opendocument, style, table, text

    document = opendocument.OpenDocumentText()
    document.styles.addElement(style.Style(name="Heading 1", family="paragraph"))
    document.text.addElement(text.H(outlinelevel=1, text="Delivery"))
    document.text.addElement(text.P(text="Bread arrives before half past six."))
    outer, inner = text.List(), text.List()
    for listing, words in ((outer, "seeds"), (inner, "sesame")):
        item = text.ListItem()
        item.addElement(text.P(text=words))
        listing.addElement(item)
    outer.childNodes[0].addElement(inner)
    document.text.addElement(outer)
    prices = table.Table(name="Prices")
    for values in (("Item", "Price"), ("Rye", "4 euros")):
        row = table.TableRow()
        for value in values:
            cell = table.TableCell()
            cell.addElement(text.P(text=value))
            row.addElement(cell)
        prices.addElement(row)
    document.text.addElement(prices)
    document.save(str(path))
    return path


def write_book(path: Path, chapters: Mapping[str, str], locked: bool = False) -> Path:
    """An EPUB with a chapter for each heading, stored in another order than it is read."""
    names = [f"c{number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="{n}" href="text/{n}" media-type="application/xhtml+xml"/>' for n in reversed(names))
    spine = "".join(f'<itemref idref="{n}"/>' for n in names)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The baker</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    members = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package}
    for name, (heading, text) in zip(names, chapters.items(), strict=True):
        members[f"OEBPS/text/{name}"] = f"<html><body><h1>{heading}</h1><p>{text}</p></body></html>"
    if locked:
        members["META-INF/encryption.xml"] = (
            '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:CipherData>'
            f'<e:CipherReference URI="OEBPS/text/{names[0]}"/></e:CipherData></e:EncryptedData></encryption>'
        )
    return write_zip(path, members)


def message(subject: str, text: str, attachments: Mapping[str, bytes] | None = None, html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@example.org>", "Bo <bo@example.org>", subject
    mail["Date"] = "Tue, 04 Mar 2025 10:00:00 +0100"
    if text:
        mail.set_content(text)
    if html:
        (mail.add_alternative if text else mail.set_content)(html, subtype="html")
    for name, content in (attachments or {}).items():
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail


def write_zip(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_bomb(path: Path, member: str = "word/document.xml") -> Path:
    """A file of 60 kB that would unpack to 60 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w") as part:
        for _ in range(60):
            part.write(b" " * 1_000_000)
    return path


def packed_much(block: bytes, times: int, wbits: int = 15) -> bytes:
    """`block` compressed so many times over, without ever being written out: zlib's format, gzip's with 31."""
    packer = zlib.compressobj(9, wbits=wbits)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    return head + (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * times


def write_pdf_bomb(path: Path) -> Path:
    """Three pages; the second has a content stream of some kB that unpacks to 3 GB."""
    line = b"BT /F1 12 Tf 40 700 Td (%s page.) Tj ET"
    contents = [line % b"First", packed_much(b"0 0 m 9 9 l S\n" * 700_000, 320), line % b"Last"]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(contents)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, content in enumerate(contents):
        font = "/Resources << /Font << /F1 3 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * i} 0 R {font} >>"
        packed = b"/Filter /FlateDecode " if content[:1] == b"\x78" else b""
        bodies += [page.encode(), b"<< %s/Length %d >>\nstream\n%s\nendstream" % (packed, len(content), content)]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    path.write_bytes(out + end % (len(bodies) + 1, table, len(bodies) + 1, len(out)))
    return path
