"""Payloads as rows of QR codes: BC-UR version 2, BBQr, and single plain codes. Pure: no picture is touched here."""
